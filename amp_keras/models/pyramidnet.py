"""The pyramidal residual networks of Han et al. for small images."""

import keras
from keras import layers

from amp_keras.models.blocks import batch_norm
from amp_keras.models.blocks import batch_norm_relu
from amp_keras.models.blocks import channels
from amp_keras.models.blocks import conv
from amp_keras.models.blocks import pad_channels

_STAGES = 3
_FIRST_FILTERS = 16
_EXPANSION = 4


def pyramidnet110_48(input_shape, num_classes):
    """PyramidNet-110, alpha 48: 1.8M parameters. See `pyramidnet`."""
    return pyramidnet(input_shape, num_classes, depth=110, alpha=48)


def pyramidnet110_84(input_shape, num_classes):
    """PyramidNet-110, alpha 84: 3.9M parameters. See `pyramidnet`."""
    return pyramidnet(input_shape, num_classes, depth=110, alpha=84)


def pyramidnet110_270(input_shape, num_classes):
    """PyramidNet-110, alpha 270: 28.5M parameters. See `pyramidnet`."""
    return pyramidnet(input_shape, num_classes, depth=110, alpha=270)


def pyramidnet164_48(input_shape, num_classes):
    """PyramidNet-164, alpha 48: 1.7M parameters. See `pyramidnet`."""
    return pyramidnet(
        input_shape, num_classes, depth=164, alpha=48, bottleneck=True
    )


def pyramidnet164_270(input_shape, num_classes):
    """PyramidNet-164, alpha 270: 27.2M parameters. See `pyramidnet`."""
    return pyramidnet(
        input_shape, num_classes, depth=164, alpha=270, bottleneck=True
    )


def pyramidnet(input_shape, num_classes, depth, alpha, bottleneck=False):
    """A residual network whose filters grow by a little in every block.

    The number of filters grows linearly from 16 to 16 + `alpha` (four times
    that after a bottleneck). Three stages have equally many blocks; the second
    and third begin by halving the resolution. Shortcuts are averaged over 2x2
    pixels there, and padded with zeros for the filters that are new.

    Args:
        input_shape: Tuple of ints `(height, width, channels)`.
        num_classes: Int, the number of outputs.
        depth: Int, the number of layers with weights: 6n + 2, or 9n + 2 with
            bottlenecks.
        alpha: Int, by how much the number of filters grows in all.
        bottleneck: Bool, whether blocks are bottlenecks of three convolutions
            instead of two. Defaults to `False`.

    Returns:
        A functional `keras.Model` from images to logits.

    Raises:
        ValueError: If `depth` is not 6n + 2, or 9n + 2.

    Reference:
        Han, Kim and Kim, "Deep Pyramidal Residual Networks", CVPR 2017: the
        additive form, with the last unit of figure 6.
    """
    layers_of_n = _STAGES * (3 if bottleneck else 2)
    blocks, remainder = divmod(depth - 2, layers_of_n)
    if remainder or blocks < 1:
        raise ValueError(
            f"`depth` must be {layers_of_n}n + 2 with n >= 1, such as "
            f"{18 * layers_of_n + 2}. Received: depth={depth!r}"
        )
    block_fn = _bottleneck if bottleneck else _basic_block
    inputs = keras.Input(input_shape)
    x = batch_norm(conv(inputs, _FIRST_FILTERS, 3))
    for block in range(_STAGES * blocks):
        growth = alpha * (block + 1) / (_STAGES * blocks)
        strides = 2 if block in (blocks, 2 * blocks) else 1
        x = block_fn(x, round(_FIRST_FILTERS + growth), strides)
    x = layers.GlobalAveragePooling2D()(batch_norm_relu(x))
    outputs = layers.Dense(num_classes, name="logits")(x)
    return keras.Model(inputs, outputs, name=f"pyramidnet{depth}_{alpha}")


def _basic_block(x, filters, strides):
    shortcut = _shortcut(x, filters, strides)
    x = conv(batch_norm(x), filters, 3, strides)
    x = conv(batch_norm_relu(x), filters, 3)
    return layers.Add()([batch_norm(x), shortcut])


def _bottleneck(x, filters, strides):
    shortcut = _shortcut(x, _EXPANSION * filters, strides)
    x = conv(batch_norm(x), filters, 1)
    x = conv(batch_norm_relu(x), filters, 3, strides)
    x = conv(batch_norm_relu(x), _EXPANSION * filters, 1)
    return layers.Add()([batch_norm(x), shortcut])


def _shortcut(x, filters, strides):
    if strides > 1:
        x = layers.AveragePooling2D(strides, padding="same")(x)
    missing = filters - channels(x)
    return pad_channels(x, 0, missing) if missing else x
