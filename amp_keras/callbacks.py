"""Callbacks for training by AMP."""

import json
import math
import pathlib
import warnings

import keras

from amp_keras import atomic_file
from amp_keras.perturbation import USUAL_STEP

# Validation loss / training loss from which on a run is perturbed, and the
# first epoch whose losses count: those of epoch 0 are of an untrained network.
_BEGIN, _EARLIEST = 1.15, 1
_TINY = 1e-12


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


class AdaptiveEpsilon(keras.callbacks.Callback):
    """Sets the radius of an `AMPModel` during the run, by the validation loss.

    An experiment of this project, of no paper: `docs/epsilon.md` has what it
    was found to do.

    AMP minimizes the loss at the worst weights nearby, `perturbed_loss` in the
    logs. The radius is moved to where that equals the loss on validation data:
    a network that memorizes, whose validation loss is the higher one, gets a
    larger radius, and one that underfits a smaller one. At the end of each
    epoch

        epsilon *= clip((val_loss / perturbed_loss) ** 2, 1 / r, r)

    where `r = pace ** (1 / epochs)`. Training is plain, one pass a step, until
    the validation loss is 15 % above the training loss, after the second epoch
    at the earliest, and again where epsilon falls below `minimum`. A
    `perturbed_loss` that augmentation or MixUp raises makes for smaller radii.

    `val_loss` need not be of clean labels, but of labels as wrong as those of
    the training data. Data that chose the radius do not tell how good the
    network is: keep others for that.

    The ascent should be normalized, by a large `inner_lr`: with
    `inner_lr=1.0` the gradient of a network that has fitted its data is
    shorter than epsilon, and a larger radius changes nothing.

    All that it knows is `model.epsilon`. `keras.callbacks.BackupAndRestore`
    does not keep that: give a `state_path`, too, before a run that may be
    stopped.

    Example:

    ```python
    model = amp_keras.AMPModel(
        network, epsilon=0.0, inner_lr=1e6, log_perturbation=True
    )
    model.compile(optimizer, loss)
    model.fit(
        x,
        y,
        validation_data=(x_val, y_val),
        epochs=40,
        callbacks=[amp_keras.callbacks.AdaptiveEpsilon()],
    )
    ```

    Args:
        initial: Float > 0, the radius when the perturbation begins. Defaults
            to `0.05`.
        minimum: Float > 0, the radius below which training is plain. Defaults
            to `0.01`.
        maximum: Float, the largest radius. Defaults to `10.0`.
        pace: Float > 1, the factor by which the radius may grow at most over
            all epochs of a run. Defaults to `1e12`, which is 2 an epoch if
            there are 40.
        epochs: Int, the epochs of the run. Defaults to `None`: those of
            `fit()`.
        state_path: Path of a small file that keeps epsilon at the end of each
            epoch. If `fit()` begins with an `initial_epoch` other than 0, or
            `BackupAndRestore` goes on, epsilon is read from it. Defaults to
            `None`: none.

    Raises:
        ValueError: If an argument is out of its range, the model is not an
            `AMPModel` with `log_perturbation=True`, or `fit()` has no
            validation data.
    """

    LIMITS = (0.01, 10.0)

    def __init__(
        self,
        initial=0.05,
        minimum=LIMITS[0],
        maximum=LIMITS[1],
        pace=1e12,
        epochs=None,
        state_path=None,
    ):
        super().__init__()
        if not 0 < minimum <= initial <= maximum < math.inf:
            raise ValueError(
                "`minimum`, `initial` and `maximum` must be finite, > 0, and "
                f"in this order. Received: minimum={minimum!r}, "
                f"initial={initial!r}, maximum={maximum!r}"
            )
        if not 1 < pace < math.inf:
            raise ValueError(
                f"`pace` must be a finite float > 1. Received: pace={pace!r}"
            )
        self.initial = initial
        self.minimum = minimum
        self.maximum = maximum
        self.pace = pace
        self.epochs = epochs
        self._history = _EpsilonFile(state_path)

    def set_model(self, model):
        if not getattr(model, "log_perturbation", False):
            raise ValueError(
                "`AdaptiveEpsilon` must be used with an `AMPModel` with "
                "`log_perturbation=True`, whose logs have the perturbed loss. "
                f"Received: model={model!r} (of type {type(model)})"
            )
        if model.inner_lr <= USUAL_STEP:
            warnings.warn(
                "the ascent does not reach a large radius by steps of the "
                "gradient's length; `inner_lr=1e6` makes them reach any. "
                f"Received: inner_lr={model.inner_lr:g}",
                stacklevel=2,
            )
        super().set_model(model)

    def on_train_begin(self, logs=None):
        self._is_first_epoch = True

    def on_epoch_begin(self, epoch, logs=None):
        if self._is_first_epoch:
            self._is_first_epoch = False
            self.model.epsilon = self._history.begin(epoch, self.model.epsilon)

    def on_epoch_end(self, epoch, logs=None):
        logs = logs if logs is not None else {}
        if "val_loss" not in logs:
            raise ValueError(
                "`AdaptiveEpsilon` must have the loss on validation data after "
                "each epoch: give `fit()` `validation_data`. Received: logs "
                f"with {', '.join(logs)}"
            )
        logs["epsilon"] = self.model.epsilon
        ratio = _ratio(logs["val_loss"], logs["perturbed_loss"])
        self.model.epsilon = self._next(epoch, self.model.epsilon, ratio)
        self._history.append(self.model.epsilon)

    def _next(self, epoch, epsilon, ratio):
        """Returns the radius of the next epoch.

        Args:
            epoch: Int >= 0, the epoch that has ended.
            epsilon: Float >= 0, that of this epoch.
            ratio: Float, its validation loss / its perturbed loss.
        """
        if not epsilon:
            begins = epoch >= _EARLIEST and ratio > _BEGIN
            return self.initial if begins else 0.0
        most = self.pace ** (1 / (self.epochs or self.params["epochs"]))
        epsilon *= min(max(ratio**2, 1 / most), most)
        return min(epsilon, self.maximum) if epsilon >= self.minimum else 0.0


class _EpsilonFile:
    """The epsilon of each epoch of a run, in memory and in a file.

    That of all epochs, since it is not known which of them a checkpoint is of
    if the process is killed between writing one and the other.

    Args:
        path: Path of the file, or `None`: in memory only.
    """

    def __init__(self, path):
        self._path = path and pathlib.Path(path)
        self._values = []

    def begin(self, epoch, epsilon):
        """Returns the epsilon of the first epoch of a `fit()`.

        Args:
            epoch: Int, that epoch.
            epsilon: Float, what it is if the file does not say otherwise.

        Raises:
            ValueError: If the file is of a run that ended before that epoch.
        """
        self._values = [epsilon]
        if self._path and epoch:
            self._values = self._read(epoch)
        return self._values[-1]

    def append(self, epsilon):
        """Adds the epsilon of the next epoch."""
        self._values.append(epsilon)
        if self._path:
            text = json.dumps({"epsilon": self._values})
            atomic_file.write_text(self._path, text)

    def _read(self, epoch):
        try:
            content = json.loads(self._path.read_text())
            values = [float(value) for value in content["epsilon"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                "`state_path` must be a file that `AdaptiveEpsilon` wrote. "
                f"Received: state_path={str(self._path)!r} ({error!r})"
            ) from error
        if len(values) <= epoch:
            raise ValueError(
                f"`state_path` must be of a run of at least {epoch} epochs, "
                f"where `fit()` begins. Received: {str(self._path)!r}, of "
                f"{len(values) - 1} epochs"
            )
        return values[: epoch + 1]


def _ratio(loss, perturbed_loss):
    """Returns how many times the perturbed loss another one is.

    Nothing follows from losses that are not finite, and one that is negative
    counts as zero.
    """
    if not math.isfinite(loss) or not math.isfinite(perturbed_loss):
        return 1.0
    return max(loss, 0.0) / max(perturbed_loss, _TINY)
