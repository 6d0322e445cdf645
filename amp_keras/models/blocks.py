"""The layers that the networks share, as functions on Keras tensors."""

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
    return layers.BatchNormalization(momentum=0.9)(x)


def batch_norm_relu(x):
    """Batch normalization, then ReLU."""
    return layers.ReLU()(batch_norm(x))
