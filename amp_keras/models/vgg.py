"""The VGG networks with batch normalization, for small images."""

import keras
from keras import layers

from amp_keras.models.blocks import batch_norm_relu
from amp_keras.models.blocks import conv

_FILTERS = (64, 128, 256, 512, 512)

# Depth: convolutions of each stage (configurations A, B, D and E).
_STAGES = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}


def vgg11(input_shape, num_classes):
    """VGG-11: 9.2M parameters. See `vgg`."""
    return vgg(input_shape, num_classes, depth=11)


def vgg13(input_shape, num_classes):
    """VGG-13: 9.4M parameters. See `vgg`."""
    return vgg(input_shape, num_classes, depth=13)


def vgg16(input_shape, num_classes):
    """VGG-16: 14.7M parameters. See `vgg`."""
    return vgg(input_shape, num_classes, depth=16)


def vgg19(input_shape, num_classes):
    """VGG-19: 20.0M parameters. See `vgg`."""
    return vgg(input_shape, num_classes, depth=19)


def vgg(input_shape, num_classes, depth):
    """A stack of 3x3 convolutions in five stages, each ending in max pooling.

    One dense layer from 512 features follows, as usual for images of 32x32
    pixels, which five poolings reduce to one. The dense layers of 4,096 units
    of the original, made for 224x224, are left out. Smaller images are pooled
    until they have one pixel.

    Args:
        input_shape: Tuple of ints `(height, width, channels)`.
        num_classes: Int, the number of outputs.
        depth: Int, one of 11, 13, 16 and 19: the layers with weights of the
            original.

    Returns:
        A functional `keras.Model` from images to logits.

    Raises:
        ValueError: If there is no such depth.

    Reference:
        Simonyan and Zisserman, "Very Deep Convolutional Networks for
        Large-Scale Image Recognition", ICLR 2015, table 1.
    """
    if depth not in _STAGES:
        raise ValueError(
            f"`depth` must be one of {', '.join(map(str, _STAGES))}. "
            f"Received: depth={depth!r}"
        )
    inputs = x = keras.Input(input_shape)
    for filters, convolutions in zip(_FILTERS, _STAGES[depth]):
        for _ in range(convolutions):
            x = batch_norm_relu(conv(x, filters, 3))
        # "same" leaves a single pixel as it is.
        x = layers.MaxPooling2D(2, padding="same")(x)
    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(num_classes, name="logits")(x)
    return keras.Model(inputs, outputs, name=f"vgg{depth}")
