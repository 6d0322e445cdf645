"""The ascent on a part of the batch: what is seen, what lasts, what is refused.

Whole steps are compared with NumPy in `parity_test.py`, with brute force in
`any_model_test.py` and between devices in `distribution_test.py`.
"""

import warnings

import keras
import networks
import numpy as np
import pytest
from keras import layers
from keras import ops

import amp_keras
from amp_keras import batch_part

BACKEND = keras.config.backend()
BATCH = 16
EAGER = {} if BACKEND == "torch" else {"run_eagerly": True}
ON_TENSORFLOW = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="Tensors of this kind are TensorFlow's"
)


def fit(network, compiled=None, loss=None, epochs=1, **arguments):
    """Trains for three steps, or the plain network where nothing is given."""
    x, y = networks.data()
    trained = network
    if arguments:
        trained = amp_keras.AMPModel(network, **arguments)
    trained.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        loss or networks.classifier_loss(),
        metrics=["accuracy"],
        **(compiled or {}),
    )
    return trained, trained.fit(
        x, y, BATCH, epochs=epochs, shuffle=False, verbose=0
    )


class Records(layers.Layer):
    """Notes how many examples each pass sees."""

    def __init__(self):
        super().__init__()
        self.find_sizes = lambda sizes=[]: sizes

    def call(self, inputs):
        self.find_sizes().append(inputs.shape[0])
        return inputs


@pytest.mark.parametrize("inner_iters", [1, 3])
def test_all_passes_but_the_last_see_the_part(inner_iters):
    records = Records()
    network = keras.Sequential([records, layers.Dense(networks.CLASSES)])
    model = amp_keras.AMPModel(
        network, 0.1, inner_iters=inner_iters, inner_fraction=1 / 8
    )
    model.compile("sgd", networks.classifier_loss(), **EAGER)
    x, y = networks.data()
    model.train_on_batch(x[:BATCH], y[:BATCH])
    records.find_sizes().clear()
    model.train_on_batch(x[:BATCH], y[:BATCH])
    assert records.find_sizes() == [2] * inner_iters + [16]


class Zero(amp_keras.AMPModel):
    """Makes both passes, and never leaves the weights."""

    def ascend(self, variables, perturbation, gradients, epsilon):
        return [0.0 * p for p in perturbation]


class UnseededNoise(layers.Layer):
    """Draws from torch's own generator on PyTorch, as torch modules do."""

    def call(self, inputs, training=False):
        if BACKEND != "torch" or not training:
            return inputs
        import torch

        return inputs + 0.1 * torch.randn(inputs.shape)


def noisy():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((networks.FEATURES,)),
            UnseededNoise(),
            layers.Dense(16),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Dropout(0.3),
            layers.Dense(networks.CLASSES, kernel_regularizer="l2"),
        ]
    )


@pytest.mark.parametrize("inner_iters", [1, 2])
@pytest.mark.parametrize("mode", networks.MODES, ids=networks.first_key)
def test_perturbation_of_zero_leaves_plain_training(mode, inner_iters):
    network = noisy()
    model = Zero(network, 0.1, inner_iters=inner_iters, inner_fraction=1 / 4)
    plain = noisy()
    keras.utils.set_random_seed(1)
    trained, _ = fit(plain, mode)
    x, y = networks.data()
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        networks.classifier_loss(),
        **mode,
    )
    keras.utils.set_random_seed(1)
    model.fit(x, y, BATCH, shuffle=False, verbose=0)
    # A graph is rewritten as a whole, and may round otherwise.
    is_exact = mode == EAGER
    for ours, theirs in zip(
        [*network.variables, *model.optimizer.variables],
        [*plain.variables, *trained.optimizer.variables],
        strict=True,
    ):
        np.testing.assert_allclose(
            ours.numpy(),
            theirs.numpy(),
            rtol=0.0 if is_exact else 1e-5,
            atol=0.0 if is_exact else 1e-6,
        )


def test_loss_and_metrics_are_those_of_the_part_at_the_weights():
    x, y = networks.data()
    network = networks.plain_mlp()
    model = amp_keras.AMPModel(network, 0.5, inner_lr=9.0, inner_fraction=1 / 4)
    model.compile(
        keras.optimizers.SGD(0.0),
        networks.classifier_loss(),
        metrics=["accuracy"],
    )
    # Batches of 16 and 8: parts of 4 and 2 examples.
    batches = [slice(0, 16), slice(16, 24)]
    losses, right = [], []
    for batch in batches:
        part = x[batch][::4], y[batch][::4]
        logits = ops.convert_to_numpy(network(part[0], training=True))
        loss = networks.classifier_loss()(part[1], logits) + network.losses[0]
        losses.append(ops.convert_to_numpy(loss))
        right.extend(np.argmax(logits, axis=-1) == part[1])
    network.set_weights(networks.plain_mlp().get_weights())
    logs = model.fit(x[:24], y[:24], 16, shuffle=False, verbose=0).history
    assert logs["loss"] == pytest.approx(
        [(4 * losses[0] + 2 * losses[1]) / 6], rel=1e-5
    )
    assert logs["accuracy"] == pytest.approx([np.mean(right)])


class CountsExamples(layers.Layer):
    """Has a metric and a weight that count what passes by."""

    def __init__(self):
        super().__init__()
        self.metric = keras.metrics.Sum("seen")

    def build(self, input_shape):
        self.total = self.add_weight(
            name="total", shape=(), initializer="zeros", trainable=False
        )

    def call(self, inputs):
        count = ops.cast(ops.shape(inputs)[0], "float32")
        self.metric.update_state(count)
        self.total.assign(self.total + count)
        return inputs


@pytest.mark.parametrize("inner_iters", [1, 3])
@pytest.mark.parametrize("mode", networks.MODES, ids=networks.first_key)
def test_metrics_of_layers_count_the_part_and_state_the_batch(
    mode, inner_iters
):
    counts = CountsExamples()
    network = keras.Sequential(
        [keras.Input((8,)), counts, layers.Dense(networks.CLASSES)]
    )
    _, history = fit(
        network,
        mode,
        epsilon=0.1,
        inner_iters=inner_iters,
        inner_fraction=1 / 4,
    )
    assert history.history["seen"] == [3 * BATCH / 4]
    assert float(counts.total.numpy()) == 3 * BATCH


class Jitters(amp_keras.AMPModel):
    """Draws between the passes, from a generator of its own."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.generator = keras.random.SeedGenerator(3)

    def ascend(self, variables, perturbation, gradients, epsilon):
        return [
            p + 0.1 * keras.random.normal(p.shape, seed=self.generator)
            for p in perturbation
        ]


@pytest.mark.parametrize("fraction", [1.0, 1 / 4])
def test_what_is_drawn_between_the_passes_is_not_drawn_again(fraction):
    x, y = networks.data()
    model = Jitters(networks.plain_mlp(), 0.1, inner_fraction=fraction)
    model.compile("sgd", networks.classifier_loss())
    model.fit(x, y, BATCH, verbose=0)
    expected = keras.random.SeedGenerator(3)
    for _ in range(3 * len(model.trainable_weights)):
        expected.next()
    np.testing.assert_array_equal(
        model.generator.state.numpy(), expected.state.numpy()
    )


@pytest.mark.parametrize("mode", networks.MODES, ids=networks.first_key)
def test_a_scaled_loss_makes_no_difference(mode):
    def trained(optimizer):
        network = networks.plain_mlp()
        model = amp_keras.AMPModel(network, 0.3, inner_fraction=1 / 4)
        model.compile(optimizer, networks.classifier_loss(), **mode)
        x, y = networks.data()
        model.fit(x, y, BATCH, epochs=2, shuffle=False, verbose=0)
        return network.get_weights()

    sgd = keras.optimizers.SGD(0.1)
    scaled = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.1), initial_scale=1024.0
    )
    for a, b in zip(trained(sgd), trained(scaled), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_accumulated_gradients_are_the_mean_of_those_of_the_steps():
    """Two steps at the same weights make one step of the optimizer."""
    x, y = networks.data()

    def trained(optimizer, batches):
        network = keras.Sequential(
            [keras.Input((8,)), layers.Dense(networks.CLASSES)]
        )
        network.set_weights([0.1 * np.ones((8, 3)), np.zeros(3)])
        model = amp_keras.AMPModel(network, 0.3, inner_fraction=1 / 4)
        model.compile(optimizer, networks.classifier_loss())
        for batch in batches:
            model.train_on_batch(x[batch], y[batch])
        return np.concatenate([w.ravel() for w in network.get_weights()])

    start = np.concatenate([0.1 * np.ones(24), np.zeros(3)])
    batches = [slice(0, 16), slice(16, 32)]
    alone = [trained(keras.optimizers.SGD(0.1), [b]) - start for b in batches]
    together = trained(
        keras.optimizers.SGD(0.1, gradient_accumulation_steps=2), batches
    )
    np.testing.assert_allclose(
        together - start, np.mean(alone, axis=0), atol=1e-6
    )


def test_part_whose_weights_are_zero_gives_no_perturbation():
    x, y = networks.data()
    weights = np.tile([0.0, 1.0, 1.0, 1.0], len(x) // 4)

    def trained(**arguments):
        network = keras.Sequential(
            [keras.Input((8,)), layers.Dense(networks.CLASSES)]
        )
        network.set_weights([0.1 * np.ones((8, 3)), np.zeros(3)])
        model = amp_keras.AMPModel(network, inner_lr=9.0, **arguments)
        model.compile(keras.optimizers.SGD(0.1), networks.classifier_loss())
        model.fit(x, y, 16, sample_weight=weights, shuffle=False, verbose=0)
        return network.get_weights()

    without = trained(epsilon=0.0)
    for a, b in zip(
        trained(epsilon=0.5, inner_fraction=1 / 4), without, strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-6)
    moved = trained(epsilon=0.5, inner_fraction=1 / 2)
    assert np.max(np.abs(moved[0] - without[0])) > 1e-3


class RecordsSeen(amp_keras.AMPModel):
    """Notes the features that the gradient of the ascent depends on."""

    def ascend(self, variables, perturbation, gradients, epsilon):
        kernel = ops.convert_to_numpy(gradients[0])
        self.seen = np.flatnonzero(np.any(kernel != 0.0, axis=1)).tolist()
        return super().ascend(variables, perturbation, gradients, epsilon)


def test_batches_in_a_fixed_pattern_show_the_ascent_one_class():
    """Why batches are to be shuffled: the stride meets the same class."""
    network = keras.Sequential([keras.Input((8,)), layers.Dense(8)])
    x, y = np.tile(np.eye(8, dtype="float32"), (4, 1)), np.tile(range(8), 4)
    model = RecordsSeen(network, 0.1, inner_fraction=1 / 8)
    model.compile("sgd", networks.classifier_loss(), **EAGER)
    model.train_on_batch(x, y)
    assert model.seen == [0]
    order = np.random.default_rng(0).permutation(len(x))
    model.train_on_batch(x[order], y[order])
    assert len(model.seen) > 2


def test_structures_of_inputs_keep_their_form():
    a, b = keras.Input((8,), name="a"), keras.Input((8,), name="b")
    outputs = {
        "sum": layers.Dense(2)(layers.Add()([a, b])),
        "a": layers.Dense(1)(a),
    }
    model = amp_keras.AMPModel(
        keras.Model({"a": a, "b": b}, outputs), 0.1, inner_fraction=1 / 4
    )
    model.compile("sgd", {"sum": "mse", "a": "mse"})
    x, _ = networks.data()
    logs = model.train_on_batch(
        {"a": x[:16], "b": x[16:32]},
        {"sum": np.ones((16, 2)), "a": np.zeros((16, 1))},
        sample_weight={"sum": np.ones(16), "a": np.linspace(0, 1, 16)},
        return_dict=True,
    )
    assert np.isfinite(float(logs["loss"]))
    fourth = {"a": x[:16:4], "b": x[16:32:4]}
    assert ops.shape(model(fourth)["sum"]) == (4, 2)


@ON_TENSORFLOW
@pytest.mark.parametrize("mode", networks.MODES[:2], ids=networks.first_key)
def test_ragged_tensors_are_divided(mode):
    import tensorflow as tf

    rows = [[1], [2, 3], [4, 5, 6], [], [7], [8, 9], [1, 2], [3]]

    class Mean(keras.Model):
        def __init__(self):
            super().__init__()
            self.scale = self.add_weight(shape=(), initializer="ones")

        def call(self, inputs):
            totals = tf.reduce_sum(tf.cast(inputs, "float32"), axis=1)
            return self.scale * totals[:, None]

    network = Mean()
    model = amp_keras.AMPModel(
        network, 0.5, inner_lr=1e6, norm="global", inner_fraction=1 / 4
    )
    model.compile(keras.optimizers.SGD(0.01), "mse", **mode)
    data = tf.data.Dataset.from_tensors(
        (tf.ragged.constant(rows), tf.zeros((8, 1)))
    )
    logs = model.fit(data, verbose=0).history
    # Rows 0 and 4 are the part: mean of 1 and 49. The ascent raises the
    # scale from 1 to 1.5, where all rows give the gradient.
    assert logs["loss"] == pytest.approx([25.0])
    squares = np.mean([sum(row) ** 2 for row in rows])
    expected = 1.0 - 0.01 * 2 * 1.5 * squares
    assert float(network.scale.numpy()) == pytest.approx(expected, rel=1e-5)


def dense(inputs):
    return keras.Model(inputs, layers.Dense(1)(inputs))


def step(network, x, y=None, inner_fraction=1 / 4, **arguments):
    model = amp_keras.AMPModel(network, 0.1, inner_fraction=inner_fraction)
    model.compile("sgd", arguments.pop("loss", "mse"), **EAGER)
    y = np.zeros((len(x), 1)) if y is None else y
    return model.train_on_batch(x, y, **arguments)


def test_network_of_a_fixed_batch_size_is_refused_by_name():
    inputs = keras.Input(batch_shape=(16, 8), name="features")
    message = r"fixed batch size.*Received: inputs \['features: \(16, 8\)'\]"
    with pytest.raises(ValueError, match=message):
        step(dense(inputs), np.ones((16, 8)))


@pytest.mark.skipif(BACKEND == "jax", reason="JAX has none of them")
def test_stateful_layers_are_refused_by_name():
    inputs = keras.Input(batch_shape=(16, 3, 2))
    outputs = layers.LSTM(1, stateful=True, name="memory")(inputs)
    network = keras.Model(inputs, outputs)
    message = r"Received: stateful layers \['memory'\]"
    with pytest.raises(ValueError, match=message):
        step(network, np.ones((16, 3, 2)))


@pytest.mark.parametrize(
    "batch, name",
    [
        ((np.ones((16, 8)), np.zeros(16), np.ones(())), "sample_weight"),
        (({"a": np.ones(16), "b": np.ones(())}, np.zeros(16), None), "x/b"),
        ((np.ones((16, 8)), [np.zeros(16), np.zeros(())], None), "y/1"),
    ],
)
def test_tensor_without_a_batch_dimension_is_refused_by_name(batch, name):
    with pytest.raises(ValueError, match=rf"Received: {name} of shape \(\)"):
        batch_part.take(batch, 4)


@ON_TENSORFLOW
def test_sparse_tensor_is_refused_by_name():
    import tensorflow as tf

    network = dense(keras.Input((8,), sparse=True))
    model = amp_keras.AMPModel(network, 0.1, inner_fraction=1 / 4)
    model.compile("sgd", "mse")
    x = tf.sparse.from_dense(np.eye(8, dtype="float32"))
    data = tf.data.Dataset.from_tensors((x, tf.zeros((8, 1))))
    with pytest.raises(ValueError, match=r"Received: x \(SparseTensor\)"):
        model.fit(data, verbose=0)


def test_few_examples_for_batch_normalization_are_a_warning_once():
    x, y = networks.data()
    loss = networks.classifier_loss()
    model = amp_keras.AMPModel(networks.plain_mlp(), 0.1, inner_fraction=1 / 8)
    model.compile("sgd", loss, **EAGER)
    with pytest.warns(UserWarning, match="2 examples; layers .'batch_norm"):
        model.train_on_batch(x[:16], y[:16])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.train_on_batch(x[:16], y[:16])
        step(networks.plain_mlp(), x[:16], y[:16], loss=loss)


@pytest.mark.parametrize(
    "value, received",
    [
        (0.3, r"1/4 \(0.25\) or 1/3 \(0.333333\)\. Received: .*=0.3"),
        (0.75, r"1/2 \(0.5\) or 1/1 \(1\)\. Received: .*=0.75"),
        (0, "Received: inner_fraction=0"),
        (1.5, "Received: inner_fraction=1.5"),
        (True, "Received: inner_fraction=True"),
        (float("nan"), "Received: inner_fraction=nan"),
        ("half", "Received: inner_fraction='half'"),
    ],
)
def test_fraction_of_another_kind_is_an_error(value, received):
    with pytest.raises(
        ValueError, match=f"`inner_fraction` must be.*{received}"
    ):
        amp_keras.AMPModel(networks.plain_mlp(), 0.1, inner_fraction=value)


@pytest.mark.parametrize("written", [1 / 3, 0.33333333, np.float32(1 / 3)])
def test_fraction_is_kept_exactly(written):
    model = amp_keras.AMPModel(
        networks.plain_mlp(), 0.1, inner_fraction=written
    )
    assert model.inner_fraction == 1 / 3
