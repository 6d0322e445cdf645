"""The pre-activation residual networks of He et al. for small images."""

import keras
from keras import layers

from amp_keras.models.blocks import batch_norm_relu
from amp_keras.models.blocks import conv
from amp_keras.models.blocks import preact_block
from amp_keras.models.blocks import preact_shortcut


def preactresnet18(input_shape, num_classes):
    """PreActResNet-18: 11.2M parameters. See `preact_resnet`."""
    return preact_resnet(input_shape, num_classes, depth=18)


def preactresnet34(input_shape, num_classes):
    """PreActResNet-34: 21.3M parameters. See `preact_resnet`."""
    return preact_resnet(input_shape, num_classes, depth=34)


def preactresnet50(input_shape, num_classes):
    """PreActResNet-50: 23.5M parameters. See `preact_resnet`."""
    return preact_resnet(input_shape, num_classes, depth=50)


def preactresnet101(input_shape, num_classes):
    """PreActResNet-101: 42.5M parameters. See `preact_resnet`."""
    return preact_resnet(input_shape, num_classes, depth=101)


def preactresnet152(input_shape, num_classes):
    """PreActResNet-152: 58.1M parameters. See `preact_resnet`."""
    return preact_resnet(input_shape, num_classes, depth=152)


def preact_resnet(input_shape, num_classes, depth):
    """A pre-activation residual network of four stages.

    The stages have 64, 128, 256 and 512 filters, and their blocks two
    convolutions; from depth 50 on, blocks are bottlenecks of three, which end
    in four times as many filters. All stages but the first begin by halving
    the resolution, with a projection as shortcut. Unlike in the networks for
    ImageNet, the first convolution is 3x3 and keeps the resolution.

    Args:
        input_shape: Tuple of ints `(height, width, channels)`.
        num_classes: Int, the number of outputs.
        depth: Int, one of 18, 34, 50, 101 and 152.

    Returns:
        A functional `keras.Model` from images to logits.

    Raises:
        ValueError: If there is no such depth.

    Reference:
        He et al., "Identity Mappings in Deep Residual Networks", ECCV 2016;
        the numbers of blocks are in table 1 of "Deep Residual Learning for
        Image Recognition", CVPR 2016.
    """
    if depth not in _STAGES:
        raise ValueError(
            f"`depth` must be one of {', '.join(map(str, _STAGES))}. "
            f"Received: depth={depth!r}"
        )
    block, blocks_of_stages = _STAGES[depth]
    inputs = keras.Input(input_shape)
    x = conv(inputs, 64, 3)
    for stage, blocks in enumerate(blocks_of_stages):
        for index in range(blocks):
            strides = 2 if stage > 0 and index == 0 else 1
            x = block(x, 64 * 2**stage, strides)
    x = layers.GlobalAveragePooling2D()(batch_norm_relu(x))
    outputs = layers.Dense(num_classes, name="logits")(x)
    return keras.Model(inputs, outputs, name=f"preactresnet{depth}")


def _bottleneck(x, filters, strides=1):
    preactivated = batch_norm_relu(x)
    shortcut = preact_shortcut(x, preactivated, 4 * filters, strides)
    # The first convolution has the stride, as in the AMP authors' code.
    x = conv(preactivated, filters, 1, strides)
    x = conv(batch_norm_relu(x), filters, 3)
    x = conv(batch_norm_relu(x), 4 * filters, 1)
    return layers.Add()([x, shortcut])


# Depth: block, number of blocks in each stage.
_STAGES = {
    18: (preact_block, (2, 2, 2, 2)),
    34: (preact_block, (3, 4, 6, 3)),
    50: (_bottleneck, (3, 4, 6, 3)),
    101: (_bottleneck, (3, 4, 23, 3)),
    152: (_bottleneck, (3, 8, 36, 3)),
}
