"""One step of `AMPModel` on every kind of model, against brute force."""

import keras
import kinds
import networks
import numpy as np
import one_step
import pytest
from keras import layers

import amp_keras

BACKEND = keras.config.backend()
KINDS = [
    kind
    for kind in kinds.KINDS
    if BACKEND != "jax" or kind is not kinds.stateful_lstm
]


@pytest.mark.parametrize(
    "norm, inner_iters", [("global", 1), ("per_variable", 2)]
)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_step_equals_brute_force(kind, norm, inner_iters):
    check_step(kind, norm=norm, inner_iters=inner_iters)


# One of each: layers of all kinds, noise, several inputs, masks, `add_loss`.
@pytest.mark.parametrize(
    "kind",
    [
        kinds.sequential,
        kinds.two_inputs_two_outputs,
        kinds.subclassed,
        kinds.embedding_with_mask,
        kinds.transformer_block,
        kinds.gru,
    ],
    ids=lambda kind: kind.__name__,
)
@pytest.mark.parametrize(
    "inner_iters", [pytest.param(1, marks=pytest.mark.slow), 2]
)
def test_step_on_a_third_of_the_batch_equals_brute_force(kind, inner_iters):
    check_step(kind, norm="global", inner_iters=inner_iters, inner_stride=3)


def check_step(kind, **arguments):
    arguments = {"epsilon": 0.3, "inner_lr": 0.5, **arguments}
    step = one_step.OneStep(*kind())
    expected_loss, expected = step.by_brute_force(**arguments)
    _, plain = step.by_plain_sgd()
    loss, actual = step.by_amp_model(**arguments)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    for a, b in zip(expected, actual, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6)
    assert step.relative_difference(expected, plain) > 0.1


@pytest.mark.parametrize(
    "kind",
    [
        kinds.sequential_without_input,
        kinds.subclassed,
        kinds.integers_only,
        kinds.nested,
        kinds.builds_late,
    ],
    ids=lambda kind: kind.__name__,
)
@pytest.mark.parametrize("mode", networks.MODES, ids=networks.first_key)
def test_model_that_fit_must_build_is_trained_as_one_built_before(kind, mode):
    def fit(build_first):
        keras.utils.set_random_seed(0)
        network, x = kind()
        if build_first:
            network(x)
        model = amp_keras.AMPModel(network, epsilon=0.5)
        model.compile(
            keras.optimizers.SGD(0.1),
            loss="mse",
            **mode,
        )
        for _ in range(2):
            model.train_on_batch(x, np.ones((kinds.BATCH, 2)))
        return [v.numpy() for v in network.variables]

    for a, b in zip(fit(True), fit(False), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_class_weights_count_in_every_pass():
    """A class of weight zero is as good as absent."""
    x, y = kinds.features(), np.arange(kinds.BATCH) % 2
    start = keras.Sequential([keras.Input((8,)), layers.Dense(2)]).get_weights()

    def fit(x, y, **arguments):
        network = keras.Sequential([keras.Input((8,)), layers.Dense(2)])
        network.set_weights(start)
        model = amp_keras.AMPModel(network, epsilon=0.3)
        loss = keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="sum"
        )
        model.compile(keras.optimizers.SGD(0.1), loss)
        model.fit(x, y, batch_size=kinds.BATCH, verbose=0, **arguments)
        return network.get_weights()

    weighted = fit(x, y, class_weight={0: 1.0, 1: 0.0})
    for a, b in zip(weighted, fit(x[y == 0], y[y == 0]), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


class OwnLoss(amp_keras.AMPModel):
    """A subclass with a loss of its own, without the `training` argument."""

    def compute_loss(self, x, y, y_pred, sample_weight):
        return keras.ops.mean(keras.losses.mean_absolute_error(y, y_pred))


def test_loss_of_a_subclass_counts_in_every_pass():
    def step(cls, loss):
        keras.utils.set_random_seed(0)
        network, x = kinds.sequential_without_input()
        model = cls(network, epsilon=0.3)
        model.compile(keras.optimizers.SGD(0.1), loss=loss)
        model.train_on_batch(x, np.ones((kinds.BATCH, 2), "float32"))
        return network.get_weights()

    expected = step(amp_keras.AMPModel, "mae")
    for a, b in zip(step(OwnLoss, None), expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_mask_of_the_outputs_reaches_the_loss():
    """Targets at masked positions change nothing."""

    def step(masked_target):
        keras.utils.set_random_seed(0)
        network = keras.Sequential(
            [
                keras.Input((5,), dtype="int32"),
                layers.Embedding(20, 4, mask_zero=True),
                layers.Dense(1),
            ]
        )
        model = amp_keras.AMPModel(network, epsilon=0.3)
        model.compile(keras.optimizers.SGD(0.1), loss="mse")
        inputs, targets = kinds.tokens(), np.ones((kinds.BATCH, 5, 1))
        inputs[:, 3:], targets[:, 3:] = 0, masked_target
        model.train_on_batch(inputs, targets)
        return network.get_weights()

    for a, b in zip(step(0.0), step(100.0), strict=True):
        np.testing.assert_array_equal(a, b)


class OwnMetric(keras.Model):
    def __init__(self):
        super().__init__()
        self.out = layers.Dense(2)
        self.size = keras.metrics.Mean(name="size")

    def call(self, inputs):
        self.size.update_state(keras.ops.shape(inputs)[0])
        return self.out(inputs)


def test_metric_that_the_model_owns_is_reported_once_a_step():
    model = amp_keras.AMPModel(OwnMetric(), epsilon=0.1)
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    x = kinds.features()
    history = model.fit(
        x, np.ones((kinds.BATCH, 2)), batch_size=5, epochs=2, verbose=0
    ).history
    assert history["size"] == [4.0, 4.0]  # Of batches of 5, 5 and 2.


def test_scales_of_float8_layers_are_not_perturbed():
    network = keras.Sequential([keras.Input((16,)), layers.Dense(16)])
    network.quantize("float8")
    model = amp_keras.AMPModel(network, epsilon=0.5)
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    model.train_on_batch(kinds.features(width=16), np.ones((kinds.BATCH, 16)))
    perturbed = [
        w.path.split("/")[-1]
        for w in model._of_perturbed(network.trainable_weights)
    ]
    assert perturbed == ["kernel", "bias"]


def test_scales_of_float8_layers_survive_a_step_that_is_not_finite():
    network = keras.Sequential([keras.Input((16,)), layers.Dense(16)])
    network.quantize("float8")
    model = amp_keras.AMPModel(network, epsilon=0.5)
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    x, y = kinds.features(width=16), np.ones((kinds.BATCH, 16))
    model.train_on_batch(x, y)
    before = [w.numpy() for w in network.trainable_weights]
    model.train_on_batch(x, np.nan * y)
    for value, weight in zip(before, network.trainable_weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


class BypassesItsVariable(layers.Layer):
    """Reads the backend's variable, which nothing can be substituted for."""

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(), name="scale")

    def call(self, inputs):
        return inputs * self.scale._value


@pytest.mark.skipif(BACKEND == "jax", reason="Keras cannot train it on JAX")
def test_variable_that_cannot_be_perturbed_is_named():
    network = keras.Sequential(
        [keras.Input((8,)), BypassesItsVariable(name="bypass"), layers.Dense(2)]
    )
    model = amp_keras.AMPModel(network, epsilon=0.1)
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    with pytest.raises(ValueError, match="Received: variables .*bypass/scale"):
        model.train_on_batch(kinds.features(), np.zeros((kinds.BATCH, 2)))


@pytest.mark.skipif(BACKEND != "torch", reason="wraps a module of torch")
def test_torch_module_trains_if_it_is_left_out_of_the_perturbation():
    """Its buffers change once a step, in the clean pass."""
    import torch

    norm = torch.nn.BatchNorm1d(8)
    network = keras.Sequential(
        [
            keras.Input((8,)),
            layers.TorchModuleWrapper(norm),
            layers.Dense(2, name="dense"),
        ]
    )
    network(kinds.features())
    model = amp_keras.AMPModel(network, epsilon=0.1, perturb="dense")
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    before = norm.weight.detach().clone(), int(norm.num_batches_tracked)
    model.train_on_batch(kinds.features(), np.zeros((kinds.BATCH, 2)))
    assert not torch.equal(norm.weight, before[0])
    assert int(norm.num_batches_tracked) == before[1] + 1


def test_variable_that_its_layer_assigns_is_named():
    network = keras.Sequential(
        [keras.Input((8,)), layers.SpectralNormalization(layers.Dense(2))]
    )
    model = amp_keras.AMPModel(network, epsilon=0.1)
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    with pytest.raises(ValueError, match="SpectralNormalization.*kernel"):
        model.train_on_batch(kinds.features(), np.zeros((kinds.BATCH, 2)))


@pytest.mark.skipif(BACKEND != "jax", reason="Keras keeps states elsewhere")
def test_stateful_layer_is_named_where_keras_forgets_its_states():
    network, x = kinds.stateful_lstm()
    model = amp_keras.AMPModel(network, epsilon=0.1)
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    with pytest.raises(ValueError, match="Received: stateful layers .*lstm"):
        model.train_on_batch(x, np.zeros((kinds.BATCH, 2)))
