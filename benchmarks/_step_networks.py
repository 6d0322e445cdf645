"""The networks whose steps are timed, with a batch for each."""

import keras
import numpy as np
from keras import layers

from amp_keras import models

_SIDE, _CHANNELS, _CLASSES = 32, 3, 10
_TOKENS, _WORDS, _WIDTH, _HEADS = 32, 1000, 64, 4

OWN = ("transformer",)


def names():
    return (*models.names(), *OWN)


def get(name, batch_size):
    """Returns a network with logits of 10 classes, inputs and labels.

    Args:
        name: String, one of `names()`.
        batch_size: Integer.
    """
    rng = np.random.default_rng(0)
    labels = rng.integers(0, _CLASSES, batch_size, dtype="int32")
    if name == "mlp":
        x = rng.normal(size=(batch_size, 64)).astype("float32")
        return models.get(name)((64,), _CLASSES), x, labels
    if name == "transformer":
        x = rng.integers(0, _WORDS, (batch_size, _TOKENS), dtype="int32")
        return _transformer(), x, labels
    shape = _image_shape()
    x = rng.normal(size=(batch_size, *shape)).astype("float32")
    return models.get(name)(shape, _CLASSES), x, labels


def _image_shape():
    if keras.config.image_data_format() == "channels_first":
        return _CHANNELS, _SIDE, _SIDE
    return _SIDE, _SIDE, _CHANNELS


def _transformer():
    """Two blocks of width 64 over 32 tokens."""
    inputs = keras.Input((_TOKENS,), dtype="int32")
    x = layers.Embedding(_WORDS, _WIDTH)(inputs)
    for _ in range(2):
        x = _block(x)
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(inputs, layers.Dense(_CLASSES)(x))


def _block(x):
    normalized = layers.LayerNormalization()(x)
    attention = layers.MultiHeadAttention(_HEADS, _WIDTH // _HEADS)
    x = layers.Add()([x, attention(normalized, normalized)])
    hidden = layers.Dense(4 * _WIDTH, activation="gelu")(
        layers.LayerNormalization()(x)
    )
    return layers.Add()([x, layers.Dense(_WIDTH)(hidden)])
