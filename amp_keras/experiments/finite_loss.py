"""A run whose loss is not finite ends, before that is saved."""

import keras
import numpy as np

from amp_keras.errors import DivergedError

DIVERGED_ADVICE = "Try a smaller --learning_rate, --epsilon or --inner_lr."


class FiniteLoss(keras.callbacks.Callback):
    """Raises a `DivergedError` after a step whose loss is not finite.

    Args:
        progress: The `Progress`, which has counted the step already.
        steps_per_epoch: Int.
    """

    def __init__(self, progress, steps_per_epoch):
        super().__init__()
        self._progress = progress
        self._steps_per_epoch = steps_per_epoch

    def on_train_batch_end(self, batch, logs=None):
        if np.isfinite(logs["loss"]):
            return
        step = self._progress.step
        raise DivergedError(
            f"The loss ceased to be finite at step {step}, in epoch "
            f"{(step - 1) // self._steps_per_epoch + 1}. {DIVERGED_ADVICE}"
        )
