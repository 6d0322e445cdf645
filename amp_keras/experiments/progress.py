"""How far a run is."""

import dataclasses
import time

import keras


@dataclasses.dataclass
class Progress:
    """How far a run is.

    Attributes:
        step: Int, the steps done.
        seconds: Float, the time spent in training.
        history: Dict of lists, the logs of the epochs done.
        best_epoch: Int, counted from 1: the epoch of the lowest validation
            loss so far. `None` without validation or `restore_best_weights`.
    """

    step: int = 0
    seconds: float = 0.0
    history: dict = dataclasses.field(default_factory=dict)
    best_epoch: int | None = None

    def remaining_fits(self, steps_per_epoch, epochs):
        """Returns what is left to do, as arguments of `fit()`.

        There are two parts if the run stopped within an epoch.
        """
        epoch, done = divmod(self.step, steps_per_epoch)
        parts = []
        if done:
            parts.append((epoch, epoch + 1, steps_per_epoch - done))
            epoch += 1
        if epoch < epochs:
            parts.append((epoch, epochs, steps_per_epoch))
        names = ("initial_epoch", "epochs", "steps_per_epoch")
        return [dict(zip(names, part)) for part in parts]


class ProgressTracker(keras.callbacks.Callback):
    """Counts the steps, takes the time and keeps the logs of epochs.

    It comes before callbacks that read the progress or the logs, to which it
    adds the learning rate and epsilon.

    Args:
        progress: The `Progress` to go on from.
        on_epoch: Function of the history, called at the end of each epoch.
            Defaults to one that does nothing.
    """

    def __init__(self, progress, on_epoch=lambda history: None):
        super().__init__()
        self.progress = progress
        self._on_epoch = on_epoch
        self._start = time.monotonic() - progress.seconds

    def on_train_batch_end(self, batch, logs=None):
        self.progress.step += 1
        self.progress.seconds = time.monotonic() - self._start

    def on_epoch_end(self, epoch, logs=None):
        rate = self.model.optimizer.learning_rate
        logs["learning_rate"] = float(keras.ops.convert_to_numpy(rate))
        logs["epsilon"] = self.model.epsilon
        for name, value in logs.items():
            self.progress.history.setdefault(name, []).append(float(value))
        self.progress.seconds = time.monotonic() - self._start
        self._on_epoch(self.progress.history)
