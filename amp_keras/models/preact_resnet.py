"""The pre-activation residual network of He et al. for small images."""

import keras
from keras import layers

from amp_keras.models.blocks import batch_norm_relu
from amp_keras.models.blocks import conv


def preactresnet18(input_shape, num_classes):
    """PreActResNet-18: 11.2M parameters, the network of the AMP paper.

    Four stages of two blocks have 64, 128, 256 and 512 filters; all but the
    first begin by halving the resolution, with a projection as shortcut.

    Args:
        input_shape: Tuple of ints `(height, width, channels)`.
        num_classes: Int, the number of outputs.

    Returns:
        A functional `keras.Model` from images to logits.

    Reference:
        He et al., "Identity Mappings in Deep Residual Networks", ECCV 2016.
    """
    inputs = keras.Input(input_shape)
    x = conv(inputs, 64, 3)
    for stage, filters in enumerate((64, 128, 256, 512)):
        x = _preact_block(x, filters, strides=2 if stage > 0 else 1)
        x = _preact_block(x, filters)
    x = layers.GlobalAveragePooling2D()(batch_norm_relu(x))
    outputs = layers.Dense(num_classes, name="logits")(x)
    return keras.Model(inputs, outputs, name="preactresnet18")


def _preact_block(x, filters, strides=1):
    preactivated = batch_norm_relu(x)
    shortcut = x
    if strides != 1 or x.shape[-1] != filters:
        shortcut = conv(preactivated, filters, 1, strides)
    x = conv(preactivated, filters, 3, strides)
    x = conv(batch_norm_relu(x), filters, 3)
    return layers.Add()([x, shortcut])
