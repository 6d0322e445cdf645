"""The layers that the networks share, as functions on Keras tensors.

Images and features have the layout of `keras.config.image_data_format()`.
"""

import keras
from keras import layers


def conv(x, filters, kernel_size, strides=1):
    """A bias-free convolution with "same" padding and He's initialization.

    Reference:
        He et al., "Delving Deep into Rectifiers", ICCV 2015, equation 14 (the
        variance that keeps the scale of gradients: fan out).
    """
    return layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer=keras.initializers.VarianceScaling(
            scale=2.0, mode="fan_out", distribution="untruncated_normal"
        ),
    )(x)


def batch_norm(x):
    """Batch normalization whose statistics follow the last few dozen batches.

    Keras' default momentum, 0.99, lags behind in runs of a few epochs; 0.9 is
    that of the networks' original implementations.
    """
    return layers.BatchNormalization(_channel_axis(), momentum=0.9)(x)


def batch_norm_relu(x):
    """Batch normalization, then ReLU."""
    return layers.ReLU()(batch_norm(x))


def preact_block(x, filters, strides=1):
    """Two convolutions, each after its normalization and ReLU, and a shortcut.

    Where the shape changes, the shortcut is a projection of the pre-activated
    input.

    Reference:
        He et al., "Identity Mappings in Deep Residual Networks", ECCV 2016.
    """
    preactivated = batch_norm_relu(x)
    shortcut = preact_shortcut(x, preactivated, filters, strides)
    x = conv(preactivated, filters, 3, strides)
    x = conv(batch_norm_relu(x), filters, 3)
    return layers.Add()([x, shortcut])


def preact_shortcut(x, preactivated, filters, strides):
    """The input where its shape stays, else a projection."""
    if strides == 1 and channels(x) == filters:
        return x
    return conv(preactivated, filters, 1, strides)


def channels(x):
    """The number of channels of images or features."""
    return x.shape[_channel_axis()]


def pad_channels(x, before, after):
    """Channels of zeros more, before and after those that are there."""
    padding = [(0, 0)] * 4
    padding[_channel_axis()] = (before, after)
    return keras.ops.pad(x, tuple(padding))


def _channel_axis():
    return 1 if keras.config.image_data_format() == "channels_first" else -1
