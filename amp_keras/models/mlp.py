"""A small network of dense layers."""

import keras
from keras import layers


def mlp(input_shape, num_classes):
    """Two hidden layers of 128 units with ReLU.

    Args:
        input_shape: Tuple of ints, of any length: inputs are flattened.
        num_classes: Int, the number of outputs.

    Returns:
        A functional `keras.Model` from inputs to logits.
    """
    inputs = keras.Input(input_shape)
    x = layers.Flatten()(inputs)
    for _ in range(2):
        x = layers.Dense(128, "relu", kernel_initializer="he_normal")(x)
    outputs = layers.Dense(num_classes, name="logits")(x)
    return keras.Model(inputs, outputs, name="mlp")
