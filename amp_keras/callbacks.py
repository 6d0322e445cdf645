"""Callbacks for training by AMP."""

import keras


class EpsilonScheduler(keras.callbacks.Callback):
    """Sets the radius of an `AMPModel` at the beginning of each epoch.

    The training step is not compiled anew, unless epsilon changes between 0,
    which is plain training, and a positive value. The value of each epoch is
    added to its logs as `epsilon`.

    Nothing of it need be saved: it is a function of the epoch. A run that goes
    on, by `initial_epoch` or by `keras.callbacks.BackupAndRestore`, computes it
    anew, whatever epsilon the model was made with or a file had. (Weights files
    have none; a value that was set by hand, without a scheduler, is lost.)

    Example:

    ```python
    from keras.optimizers.schedules import CosineDecay
    from keras.optimizers.schedules import PolynomialDecay

    # From 0.05 to 0 along a straight line, over 30 epochs.
    EpsilonScheduler(PolynomialDecay(0.05, 30, end_learning_rate=0.0))
    # The same along a cosine.
    EpsilonScheduler(CosineDecay(0.05, 30))
    # Linear warm-up from 0 to 0.05 over 5 epochs, then constant.
    EpsilonScheduler(lambda epoch: 0.05 * min(1.0, epoch / 5))
    ```

    Args:
        schedule: A function of the epoch, an int counted from 0, that returns
            the epsilon for it, a finite float >= 0; a
            `keras.optimizers.schedules.LearningRateSchedule` is one.

    Raises:
        ValueError: If `schedule` is not callable, if the model is not an
            `AMPModel`, or if the schedule returns something else than a
            finite float >= 0.
    """

    def __init__(self, schedule):
        super().__init__()
        if not callable(schedule):
            raise ValueError(
                "`schedule` must be a function of the epoch. "
                f"Received: schedule={schedule!r}"
            )
        self.schedule = schedule

    def set_model(self, model):
        if not hasattr(model, "epsilon"):
            raise ValueError(
                "`EpsilonScheduler` must be used with an `AMPModel`. "
                f"Received: model={model!r} (of type {type(model)})"
            )
        super().set_model(model)

    def on_epoch_begin(self, epoch, logs=None):
        self.model.epsilon = float(self.schedule(epoch))

    def on_epoch_end(self, epoch, logs=None):
        logs = logs if logs is not None else {}
        logs["epsilon"] = self.model.epsilon
