"""Small networks and data that the tests share."""

import keras
import numpy as np
from keras import layers

FEATURES, CLASSES, EXAMPLES = 8, 3, 48


# The ways to run a step that the active backend has, as arguments of
# `compile()`. Compiling with torch takes minutes and is left to `slow` tests.
MODES = {
    "tensorflow": [
        {},
        {"run_eagerly": True},
        {"jit_compile": True},
        {"steps_per_execution": 2},
    ],
    "jax": [{}, {"run_eagerly": True}, {"steps_per_execution": 2}],
    "torch": [{}],
}[keras.config.backend()]


# JAX has float64 only where the whole process is set to it.
DTYPES = ["float16", "bfloat16"] + (
    [] if keras.config.backend() == "jax" else ["float64"]
)


def first_key(arguments):
    return next(iter(arguments), "default")


def data(seed=0):
    """Features and labels with something to learn."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(EXAMPLES, FEATURES)).astype("float32")
    y = np.argmax(x[:, :CLASSES], axis=-1).astype("int32")
    return x, y


def classifier_loss():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def plain_mlp(seed=0):
    """Deterministic: the same numbers on every backend and in every mode."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((FEATURES,)),
            layers.Dense(16),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Dense(CLASSES, kernel_regularizer="l2"),
        ]
    )


def noisy_two_outputs(seed=0):
    """BatchNormalization, Dropout, a regularizer and two outputs."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((FEATURES,))
    x = layers.Dense(16, kernel_regularizer="l2")(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.Dropout(0.3)(layers.ReLU()(x))
    label = layers.Dense(CLASSES, name="label")(x)
    value = layers.Dense(1, name="value")(layers.GaussianNoise(0.1)(x))
    return keras.Model(inputs, {"label": label, "value": value})


class TwoScalars(keras.Model):
    """Outputs its two weights, whatever the input."""

    def __init__(self, first, second):
        super().__init__()
        self.first = self._scalar("first", first)
        self.second = self._scalar("second", second)

    def _scalar(self, name, value):
        initializer = keras.initializers.Constant(value)
        return self.add_weight(name=name, shape=(), initializer=initializer)

    def call(self, inputs):
        return (
            keras.ops.stack([1.0 * self.first, 1.0 * self.second])
            + 0.0 * inputs
        )


def half_squares(y_true, y_pred):
    """A loss whose gradient at w is w."""
    return 0.5 * keras.ops.sum(keras.ops.square(y_pred), axis=-1)
