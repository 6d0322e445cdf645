"""The residual networks of He et al. for CIFAR-sized images."""

import keras
from keras import layers

from amp_keras.models.blocks import batch_norm
from amp_keras.models.blocks import batch_norm_relu
from amp_keras.models.blocks import channels
from amp_keras.models.blocks import conv
from amp_keras.models.blocks import pad_channels


def resnet8(input_shape, num_classes):
    """ResNet-8: 0.08M parameters, for a first look on a CPU. See `resnet`."""
    return resnet(input_shape, num_classes, depth=8)


def resnet20(input_shape, num_classes):
    """ResNet-20: 0.27M parameters. See `resnet`."""
    return resnet(input_shape, num_classes, depth=20)


def resnet32(input_shape, num_classes):
    """ResNet-32: 0.46M parameters. See `resnet`."""
    return resnet(input_shape, num_classes, depth=32)


def resnet44(input_shape, num_classes):
    """ResNet-44: 0.66M parameters. See `resnet`."""
    return resnet(input_shape, num_classes, depth=44)


def resnet56(input_shape, num_classes):
    """ResNet-56: 0.85M parameters. See `resnet`."""
    return resnet(input_shape, num_classes, depth=56)


def resnet110(input_shape, num_classes):
    """ResNet-110: 1.7M parameters. See `resnet`."""
    return resnet(input_shape, num_classes, depth=110)


def resnet(input_shape, num_classes, depth):
    """A residual network of depth 6n + 2 with identity shortcuts.

    Three stages of n blocks have 16, 32 and 64 filters; the second and third
    begin by halving the resolution. Where the number of filters grows, the
    shortcut is padded with zeros (option A of the paper).

    Args:
        input_shape: Tuple of ints `(height, width, channels)`.
        num_classes: Int, the number of outputs.
        depth: Int, the number of layers with weights: 8, 14, 20, ...

    Returns:
        A functional `keras.Model` from images to logits.

    Raises:
        ValueError: If `depth` is not 6n + 2.

    Reference:
        He et al., "Deep Residual Learning for Image Recognition", CVPR 2016,
        section 4.2 and table 6.
    """
    blocks, remainder = divmod(depth - 2, 6)
    if remainder or blocks < 1:
        raise ValueError(
            "`depth` must be 6n + 2 with n >= 1, such as 20. "
            f"Received: depth={depth!r}"
        )
    inputs = keras.Input(input_shape)
    x = batch_norm_relu(conv(inputs, 16, 3))
    for stage, filters in enumerate((16, 32, 64)):
        for block in range(blocks):
            strides = 2 if stage > 0 and block == 0 else 1
            x = _basic_block(x, filters, strides)
    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(num_classes, name="logits")(x)
    return keras.Model(inputs, outputs, name=f"resnet{depth}")


def _basic_block(x, filters, strides):
    shortcut = _zero_padded_shortcut(x, filters, strides)
    x = batch_norm_relu(conv(x, filters, 3, strides))
    x = batch_norm(conv(x, filters, 3))
    return layers.ReLU()(layers.Add()([x, shortcut]))


def _zero_padded_shortcut(x, filters, strides):
    if strides == 1:
        return x
    x = layers.AveragePooling2D(1, strides)(x)
    missing = filters - channels(x)
    return pad_channels(x, missing // 2, missing - missing // 2)
