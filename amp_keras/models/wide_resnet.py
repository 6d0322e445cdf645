"""The wide residual networks of Zagoruyko and Komodakis."""

import keras
from keras import layers

from amp_keras.models.blocks import batch_norm_relu
from amp_keras.models.blocks import conv
from amp_keras.models.blocks import preact_block


def wrn28_2(input_shape, num_classes):
    """WRN-28-2: 1.5M parameters. See `wide_resnet`."""
    return wide_resnet(input_shape, num_classes, depth=28, width=2)


def wrn28_10(input_shape, num_classes):
    """WRN-28-10: 36.5M parameters. See `wide_resnet`."""
    return wide_resnet(input_shape, num_classes, depth=28, width=10)


def wide_resnet(input_shape, num_classes, depth, width):
    """A pre-activation residual network of depth 6n + 4 with wide blocks.

    Three stages of n blocks have 16, 32 and 64 times `width` filters; the
    second and third begin by halving the resolution.

    Args:
        input_shape: Tuple of ints `(height, width, channels)`.
        num_classes: Int, the number of outputs.
        depth: Int, the number of convolutions: 10, 16, 22, 28, ...
        width: Int, the factor of the number of filters.

    Returns:
        A functional `keras.Model` from images to logits.

    Raises:
        ValueError: If `depth` is not 6n + 4.

    Reference:
        Zagoruyko and Komodakis, "Wide Residual Networks", BMVC 2016.
    """
    blocks, remainder = divmod(depth - 4, 6)
    if remainder or blocks < 1:
        raise ValueError(
            "`depth` must be 6n + 4 with n >= 1, such as 28. "
            f"Received: depth={depth!r}"
        )
    inputs = keras.Input(input_shape)
    x = conv(inputs, 16, 3)
    for stage, filters in enumerate((16, 32, 64)):
        for block in range(blocks):
            strides = 2 if stage > 0 and block == 0 else 1
            x = preact_block(x, filters * width, strides)
    x = layers.GlobalAveragePooling2D()(batch_norm_relu(x))
    outputs = layers.Dense(num_classes, name="logits")(x)
    return keras.Model(inputs, outputs, name=f"wrn{depth}_{width}")
