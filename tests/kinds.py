"""Kinds of models: functions that return a model and a batch of inputs."""

import keras
import networks
import numpy as np
from keras import layers

BATCH = 12


def features(seed=0, width=networks.FEATURES):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(BATCH, width)).astype("float32")


def tokens():
    return np.random.default_rng(0).integers(1, 20, size=(BATCH, 5))


def sequential():
    return networks.plain_mlp(), features()


def sequential_without_input():
    network = keras.Sequential([layers.Dense(4), layers.Dense(2)])
    return network, features()


def two_inputs_two_outputs():
    a, b = keras.Input((8,), name="a"), keras.Input((4,), name="b")
    x = layers.Concatenate()([layers.Dense(6)(a), layers.Dense(6)(b)])
    x = layers.Dropout(0.4, seed=3)(layers.ReLU()(x))
    outputs = [layers.Dense(2)(x), layers.Dense(1)(x)]
    return keras.Model([a, b], outputs), [features(), features(1, 4)]


def dict_inputs():
    inputs = {name: keras.Input((8,), name=name) for name in "ab"}
    x = layers.Add()([layers.Dense(4)(inputs["a"]), inputs["b"][:, :4]])
    return keras.Model(inputs, x), {"a": features(), "b": features(1)}


class Subclassed(keras.Model):
    """`add_loss`, Dropout, and a branch that is never used."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(6, activation="tanh")
        self.dropout = layers.Dropout(0.3, seed=5)
        self.out = layers.Dense(2)
        self.unused = layers.Dense(2)
        self.unused.build((None, 6))

    def call(self, inputs, training=None):
        x = self.dropout(self.hidden(inputs), training=training)
        self.add_loss(0.1 * keras.ops.mean(keras.ops.square(x)))
        return self.out(x)


def subclassed():
    return Subclassed(), features()


class TakesNoTrainingArgument(keras.Model):
    def __init__(self):
        super().__init__()
        self.dropout = layers.Dropout(0.5)
        self.out = layers.Dense(2)

    def call(self, inputs):
        return self.out(self.dropout(inputs))


def takes_no_training_argument():
    return TakesNoTrainingArgument(), features()


class OneHotTokens(keras.Model):
    """Cannot be built on float inputs."""

    def __init__(self):
        super().__init__()
        self.out = layers.Dense(2)

    def call(self, inputs):
        return self.out(keras.ops.mean(keras.ops.one_hot(inputs, 20), axis=1))


def integers_only():
    return OneHotTokens(), tokens()


def embedding_with_mask():
    network = keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            layers.Embedding(20, 4, mask_zero=True),
            layers.LSTM(4),
            layers.Dense(2),
        ]
    )
    inputs = tokens()
    inputs[:, 3:] = 0
    return network, inputs


def frozen_layer():
    network = networks.plain_mlp()
    network.layers[0].trainable = False
    return network, features()


def regularized():
    network = keras.Sequential(
        [
            keras.Input((networks.FEATURES,)),
            layers.Dense(
                6, kernel_regularizer=keras.regularizers.L1L2(0.1, 1.0)
            ),
            layers.Dense(2, activity_regularizer="l2"),
        ]
    )
    return network, features()


def shared_layer():
    inputs = keras.Input((networks.FEATURES,))
    dense = layers.Dense(networks.FEATURES, activation="tanh")
    return keras.Model(inputs, dense(dense(inputs))), features()


def nested():
    inner = keras.Sequential([layers.Dense(4), layers.BatchNormalization()])
    inputs = keras.Input((networks.FEATURES,))
    return keras.Model(inputs, layers.Dense(2)(inner(inputs))), features()


def self_attention():
    inputs = keras.Input((5,), dtype="int32")
    x = layers.Embedding(20, 8)(inputs)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 4)(x, x)])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(inputs, layers.Dense(2)(x)), tokens()


def transformer_block():
    inputs = keras.Input((5,), dtype="int32")
    x = layers.Embedding(20, 8)(inputs)
    attended = layers.MultiHeadAttention(2, 4, dropout=0.2)(x, x)
    x = layers.LayerNormalization()(layers.Add()([x, attended]))
    hidden = layers.Dense(16, activation="gelu")(x)
    hidden = layers.Dropout(0.2)(layers.Dense(8)(hidden))
    x = layers.LayerNormalization()(layers.Add()([x, hidden]))
    return keras.Model(inputs, layers.Dense(2)(x[:, 0])), tokens()


def series(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(BATCH, 5, 3)).astype("float32")


def gru():
    network = [keras.Input((5, 3)), layers.GRU(4), layers.Dense(2)]
    return keras.Sequential(network), series()


def bidirectional_lstm():
    recurrent = layers.Bidirectional(layers.LSTM(4, dropout=0.2))
    network = [keras.Input((5, 3)), recurrent, layers.Dense(2)]
    return keras.Sequential(network), series()


def stateful_lstm():
    inputs = keras.Input(batch_shape=(BATCH, 5, 3))
    x = layers.LSTM(4, stateful=True)(inputs)
    return keras.Model(inputs, layers.Dense(2)(x)), series()


def images():
    rng = np.random.default_rng(0)
    return rng.normal(size=(BATCH, 6, 6, 2)).astype("float32")


def conv_lstm():
    network = keras.Sequential(
        [
            keras.Input((2, 6, 6, 1)),
            layers.ConvLSTM2D(3, 3),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    return network, np.stack(np.split(images(), 2, axis=-1), axis=1)


def group_normalization():
    network = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(4, 3),
            layers.GroupNormalization(2),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )
    return network, images()


class WrapsFunctional(keras.Model):
    def __init__(self, functional):
        super().__init__()
        self.functional = functional
        self.out = layers.Dense(2)

    def call(self, inputs, training=None):
        return self.out(self.functional(inputs, training=training))


def sequential_in_functional_in_subclass():
    inner = keras.Sequential([layers.Dense(4), layers.Dropout(0.3)])
    inputs = keras.Input((networks.FEATURES,))
    outputs = layers.BatchNormalization()(inner(inputs))
    return WrapsFunctional(keras.Model(inputs, outputs)), features()


def two_dense():
    return keras.Sequential(
        [
            keras.Input((networks.FEATURES,)),
            layers.Dense(6, activation="tanh"),
            layers.Dense(2),
        ]
    )


def lora():
    network = two_dense()
    network.layers[0].enable_lora(2)
    # As after some steps: it starts at zero, where the other factor has none.
    network.layers[0].lora_kernel_b.assign(0.1 * np.ones((2, 6)))
    return network, features()


def quantized():
    network = two_dense()
    network.layers[0].quantize("int8")
    return network, features()


def quantized_lora():
    network, x = quantized()
    network.layers[0].enable_lora(2)
    network.layers[0].lora_kernel_b.assign(0.1 * np.ones((2, 6)))
    return network, x


KINDS = [
    sequential,
    sequential_without_input,
    two_inputs_two_outputs,
    dict_inputs,
    subclassed,
    takes_no_training_argument,
    integers_only,
    embedding_with_mask,
    frozen_layer,
    regularized,
    shared_layer,
    nested,
    self_attention,
    transformer_block,
    gru,
    bidirectional_lstm,
    stateful_lstm,
    conv_lstm,
    group_normalization,
    sequential_in_functional_in_subclass,
    lora,
    quantized,
    quantized_lora,
]


class BuildsLate(keras.Model):
    """Counts its calls, and claims to be built before its layers are."""

    def __init__(self):
        super().__init__()
        self.out = layers.Dense(2)
        self.dropout = layers.Dropout(0.5, seed=1)
        self.calls = self.add_weight(
            shape=(), initializer="zeros", trainable=False
        )
        self.built = True

    def call(self, inputs, training=None):
        if training:
            self.calls.assign_add(1.0)
        return self.out(self.dropout(inputs, training=training))


def builds_late():
    return BuildsLate(), features()
