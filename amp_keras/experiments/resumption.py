"""Going on with a run exactly where its last checkpoint stood.

Batches are a function of the seed and the step, so what a run is made of is
its variables (among them the optimizer's position in its schedules, and the
seed generators of layers), the metrics of the epoch that it is in, and its
history. `keras.callbacks.BackupAndRestore` carries the first part only, begins
an interrupted epoch's metrics anew, and overwrites the one file it keeps.
"""

import dataclasses
import time

import keras
import numpy as np

from amp_keras.experiments.checkpoints import CheckpointError
from amp_keras.experiments.config import TrainingError

DIVERGED_ADVICE = "Try a smaller --learning_rate, --epsilon or --inner_lr."


class Interrupted(Exception):
    """The run was asked to stop, and has saved what it did."""


@dataclasses.dataclass
class Progress:
    """How far a run is.

    Attributes:
        step: Int, the steps done.
        seconds: Float, the time spent in training.
        history: Dict of lists, the logs of the epochs done.
        best_epoch: Int, counted from 1: the epoch of the lowest validation
            loss so far. `None` without validation.
    """

    step: int = 0
    seconds: float = 0.0
    history: dict = dataclasses.field(default_factory=dict)
    best_epoch: int | None = None


class Resumption(keras.callbacks.Callback):
    """Keeps the progress of a run, saves it, and puts it back.

    It also ends a run whose loss is not finite, before that is saved.

    Args:
        steps_per_epoch: Int.
        checkpoints: `Checkpoints` to write at the end of each epoch. Defaults
            to `None`: none.
        every_steps: Int, write them also every so many steps. Defaults to
            `None`.
        stops: Function that tells after each step whether to save and stop.
            Defaults to one that never does.
        on_epoch: Function of the history, called at the end of each epoch.
            Defaults to one that does nothing.
    """

    def __init__(
        self,
        steps_per_epoch,
        checkpoints=None,
        every_steps=None,
        stops=lambda: False,
        on_epoch=lambda history: None,
    ):
        super().__init__()
        self.progress = Progress()
        self._steps_per_epoch = steps_per_epoch
        self._checkpoints = checkpoints
        self._every_steps = every_steps
        self._stops = stops
        self._on_epoch = on_epoch
        self._best_weights = []
        self._metric_values = []
        self._start = time.monotonic()

    def load(self):
        """Returns what was saved last, or `None`."""
        return self._checkpoints and self._checkpoints.load_latest()

    def restore(self, model, saved, batch):
        """Gives a compiled model the state that was saved.

        Args:
            model: The compiled `AMPModel`.
            saved: What `load` returned.
            batch: A batch of training data, which creates the metrics.

        Raises:
            CheckpointError: If it was saved from another network.
        """
        arrays, progress = saved
        model.optimizer.build(model.trainable_variables)
        model.test_on_batch(*batch)
        variables = _variables(model)
        best = model.model.get_weights()
        if progress["best_epoch"] is None:
            best = []
        shapes = [v.shape for v in (*variables, *best)]
        if [a.shape for a in arrays] != shapes:
            raise CheckpointError("the checkpoint is of another network")
        for variable, value in zip(variables, arrays):
            variable.assign(value)
        self._best_weights = arrays[len(variables) :]
        self._metric_values = [v.numpy() for v in model.metrics_variables]
        self.progress = Progress(**progress)
        self._start = time.monotonic() - self.progress.seconds

    def rest(self, epochs):
        """Returns what is left to do, as arguments of `fit()`.

        There are two parts if the run stopped within an epoch.
        """
        epoch, done = divmod(self.progress.step, self._steps_per_epoch)
        parts = []
        if done:
            parts.append((epoch, epoch + 1, self._steps_per_epoch - done))
            epoch += 1
        if epoch < epochs:
            parts.append((epoch, epochs, self._steps_per_epoch))
        names = ("initial_epoch", "epochs", "steps_per_epoch")
        return [dict(zip(names, part)) for part in parts]

    def use_best_epoch(self, network):
        """Gives the network the weights of the lowest validation loss."""
        if self._best_weights:
            network.set_weights(self._best_weights)

    def on_epoch_begin(self, epoch, logs=None):
        if self.progress.step % self._steps_per_epoch:
            for variable, value in zip(
                self.model.metrics_variables, self._metric_values
            ):
                variable.assign(value)

    def on_train_batch_end(self, batch, logs=None):
        self.progress.step += 1
        self._check_finite(logs["loss"])
        step = self.progress.step
        if step % self._steps_per_epoch == 0:
            return
        stops = self._stops()
        if stops or (self._every_steps and step % self._every_steps == 0):
            self._save()
        if stops:
            raise Interrupted

    def on_epoch_end(self, epoch, logs=None):
        history = self.progress.history
        rate = self.model.optimizer.learning_rate
        logs["learning_rate"] = float(keras.ops.convert_to_numpy(rate))
        logs["epsilon"] = self.model.epsilon
        for name, value in logs.items():
            history.setdefault(name, []).append(float(value))
        losses = history.get("val_loss")
        if losses and losses[-1] <= min(losses):
            self.progress.best_epoch = epoch + 1
            self._best_weights = self.model.model.get_weights()
        self._save()
        self._on_epoch(history)
        if self._stops():
            raise Interrupted

    def _save(self):
        self.progress.seconds = time.monotonic() - self._start
        if self._checkpoints is None:
            return
        # During `fit()` on JAX the variables are empty until this is called.
        getattr(self.model, "jax_state_sync", lambda: None)()
        arrays = [keras.ops.convert_to_numpy(v) for v in _variables(self.model)]
        self._checkpoints.save(
            self.progress.step,
            [*arrays, *self._best_weights],
            dataclasses.asdict(self.progress),
        )

    def _check_finite(self, loss):
        if not np.isfinite(loss):
            step = self.progress.step
            epoch = (step - 1) // self._steps_per_epoch + 1
            raise TrainingError(
                f"The loss ceased to be finite at step {step}, in epoch "
                f"{epoch}. {DIVERGED_ADVICE}"
            )


def _variables(model):
    optimizer = model.optimizer.variables
    return [*model.variables, *optimizer, *model.metrics_variables]
