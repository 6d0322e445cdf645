"""The optimizer of the paper's experiments."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="amp_keras")
class L2SGD(keras.optimizers.SGD):
    """SGD with L2 regularization and momentum as `torch.optim.SGD` has them.

    Two things differ from `keras.optimizers.SGD(weight_decay=...)`. The
    regularization is part of the gradient and so goes through the momentum,
    which makes it about `1 / (1 - momentum)` times as strong for the same
    number. And the velocity is that of the gradients alone, so that a change
    of the learning rate acts at once:

        gradient = gradient + l2 * weight
        velocity = momentum * velocity + gradient
        step = gradient + momentum * velocity if nesterov else velocity
        weight = weight - learning_rate * step

    Clipping comes before: `global_clipnorm` is of the loss's gradient.

    Args:
        learning_rate: Float or `LearningRateSchedule`. Defaults to `0.01`.
        momentum: Float between 0 and 1. Defaults to `0.0`.
        nesterov: Bool. Defaults to `False`.
        l2: Float >= 0, the factor of the weights. Defaults to `0.0`.
        **kwargs: As in `keras.optimizers.SGD`.

    Raises:
        ValueError: If `l2` is negative.
    """

    def __init__(
        self, learning_rate=0.01, momentum=0.0, nesterov=False, l2=0.0, **kwargs
    ):
        if not l2 >= 0:
            raise ValueError(f"`l2` must be a float >= 0. Received: l2={l2}")
        super().__init__(
            learning_rate, momentum=momentum, nesterov=nesterov, **kwargs
        )
        self.l2 = float(l2)

    def update_step(self, gradient, variable, learning_rate):
        dtype = variable.dtype
        learning_rate = ops.cast(learning_rate, dtype)
        step = gradient = ops.cast(gradient, dtype) + self.l2 * variable
        if self.momentum:
            velocity = self.momentums[self._get_variable_index(variable)]
            self.assign(velocity, self.momentum * velocity + gradient)
            step = ops.convert_to_tensor(velocity)
            if self.nesterov:
                step = gradient + self.momentum * step
        self.assign_sub(variable, learning_rate * step)

    def get_config(self):
        return {**super().get_config(), "l2": self.l2}
