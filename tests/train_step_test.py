"""The training step against numbers worked by hand and closed forms."""

import gradients
import keras
import networks
import numpy as np
import pytest

import amp_keras
from amp_keras.perturbation import ascend
from amp_keras.perturbation import project

GLOBAL, PER_VARIABLE = "global", "per_variable"


def step_on_half_squares(**arguments):
    """One SGD step of 0.1 on the loss (u^2 + v^2) / 2 from u=3, v=4."""
    network = networks.TwoScalars(3.0, 4.0)
    model = amp_keras.AMPModel(network, **arguments)
    model.compile(keras.optimizers.SGD(0.1), loss=networks.half_squares)
    loss = model.train_on_batch(np.zeros((5, 2)), np.zeros((5, 2)))
    return [float(network.first), float(network.second)], float(loss)


# The gradient at (u, v) is (u, v). With inner_lr=0.1 the first ascent gives
# (0.3, 0.4), of norm 0.5, and a second one (0.63, 0.84), of norm 1.05.
@pytest.mark.parametrize(
    "norm, inner_iters, epsilon, perturbation",
    [
        (GLOBAL, 1, 1.0, (0.3, 0.4)),
        (GLOBAL, 1, 0.25, (0.15, 0.2)),
        (GLOBAL, 2, 2.0, (0.63, 0.84)),
        (GLOBAL, 2, 1.0, (0.6, 0.8)),
        # Both steps end on the sphere: the second starts from (0.15, 0.2).
        (GLOBAL, 2, 0.25, (0.15, 0.2)),
        (PER_VARIABLE, 1, 0.35, (0.3, 0.35)),
        (PER_VARIABLE, 1, 0.2, (0.2, 0.2)),
        # The first step ends at (0.3, 0.35); the second adds (0.33, 0.435).
        (PER_VARIABLE, 2, 0.7, (0.63, 0.7)),
        (PER_VARIABLE, 2, 0.35, (0.35, 0.35)),
    ],
)
def test_step_worked_by_hand(norm, inner_iters, epsilon, perturbation):
    weights, loss = step_on_half_squares(
        epsilon=epsilon, inner_lr=0.1, inner_iters=inner_iters, norm=norm
    )
    u, v = perturbation
    expected = [3.0 - 0.1 * (3.0 + u), 4.0 - 0.1 * (4.0 + v)]
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert loss == pytest.approx(12.5)  # (3^2 + 4^2) / 2: the clean loss.


def test_large_inner_lr_is_sam():
    # SAM's perturbation is epsilon * g / ||g|| = (0.6, 0.8).
    weights, _ = step_on_half_squares(epsilon=1.0, inner_lr=1e6)
    np.testing.assert_allclose(weights, [2.64, 3.52], rtol=1e-6)


def test_zero_gradient_gives_zero_perturbation():
    network = networks.TwoScalars(0.0, 0.0)
    model = amp_keras.AMPModel(network, epsilon=1.0, inner_iters=3)
    model.compile(keras.optimizers.SGD(0.1), loss=networks.half_squares)
    loss = model.train_on_batch(np.zeros((5, 2)), np.zeros((5, 2)))
    assert float(loss) == 0.0
    assert [float(network.first), float(network.second)] == [0.0, 0.0]


@pytest.mark.parametrize("seed", [0, 1])
def test_first_order_theory_of_one_ascent(seed):
    """AMP's loss is L + zeta ||g||^2 inside the ball, L + eps ||g|| outside."""
    x, y = networks.data(seed)
    network = networks.plain_mlp(seed)
    weights = network.trainable_weights
    start = [w.numpy() for w in weights]

    def current_loss():
        outputs = network(x, training=True)
        return networks.classifier_loss()(y, outputs) + sum(network.losses)

    def loss_at(values):
        for weight, value in zip(weights, values, strict=True):
            weight.assign(value)
        return float(current_loss())

    clean_loss, ascent = gradients.loss_and_gradients(network, current_loss)
    norm = np.sqrt(sum(np.sum(np.square(g)) for g in ascent))

    def amp_loss(inner_lr, epsilon):
        tensors = [keras.ops.convert_to_tensor(g) for g in ascent]
        zeros = [0.0 * g for g in tensors]
        perturbation = project(ascend(zeros, tensors, inner_lr), epsilon)
        return loss_at(
            [
                w + keras.ops.convert_to_numpy(p)
                for w, p in zip(start, perturbation)
            ]
        )

    zeta, epsilon = 2e-3 / norm**2, 1e-3 / norm
    inside = amp_loss(zeta, epsilon=1e3)
    assert inside - clean_loss == pytest.approx(zeta * norm**2, rel=0.05)
    outside = amp_loss(1e3, epsilon)
    assert outside - clean_loss == pytest.approx(epsilon * norm, rel=0.05)


def test_amp_prefers_the_flatter_of_two_gaussian_minima():
    """Its minimum value is C - A exp(-epsilon^2 / (2 sigma^2))."""
    epsilon, offset = 0.3, 1.0

    def tensors(arrays):
        return [keras.ops.convert_to_tensor(a, "float32") for a in arrays]

    def worst_loss(depth, variances):
        precision = 1.0 / np.asarray(variances, "float64")
        perturbation = tensors([np.full(2, 1e-3)])
        for _ in range(500):
            p = keras.ops.convert_to_numpy(perturbation[0])
            height = depth * np.exp(-0.5 * np.sum(precision * p**2))
            gradient = height * precision * p
            ascended = ascend(*map(tensors, ([p], [gradient])), 0.05)
            perturbation = project(ascended, epsilon)
        p = keras.ops.convert_to_numpy(perturbation[0])
        return offset - depth * np.exp(-0.5 * np.sum(precision * p**2))

    sharp_depth, sharp = 0.9, (0.04, 0.25)
    flat_depth, flat = 0.8, (0.36, 0.64)
    for depth, variances in ((sharp_depth, sharp), (flat_depth, flat)):
        closed_form = offset - depth * np.exp(
            -(epsilon**2) / (2 * min(variances))
        )
        assert worst_loss(depth, variances) == pytest.approx(
            closed_form, rel=1e-4
        )
    assert offset - sharp_depth < offset - flat_depth
    assert worst_loss(flat_depth, flat) < worst_loss(sharp_depth, sharp)


@pytest.mark.parametrize("inner_iters", [1, 3])
def test_learning_rate_zero_leaves_the_weights_exactly(inner_iters):
    x, y = networks.data()
    network = networks.plain_mlp()
    model = amp_keras.AMPModel(network, epsilon=0.5, inner_iters=inner_iters)
    model.compile(keras.optimizers.SGD(0.0), networks.classifier_loss())
    before = [w.numpy() for w in network.trainable_weights]
    model.fit(x, y, batch_size=16, epochs=2, verbose=0)
    for value, weight in zip(before, network.trainable_weights, strict=True):
        np.testing.assert_array_equal(value, weight.numpy())


@pytest.mark.parametrize("inner_iters", [1, 3])
def test_batch_statistics_move_once_a_step(inner_iters):
    x, y = networks.data()
    network = networks.plain_mlp()
    model = amp_keras.AMPModel(network, epsilon=0.5, inner_iters=inner_iters)
    model.compile(keras.optimizers.SGD(0.1), networks.classifier_loss())
    dense, batch_norm = network.layers[:2]
    activations = x @ dense.kernel.numpy() + dense.bias.numpy()
    model.train_on_batch(x, y)
    np.testing.assert_allclose(
        batch_norm.moving_mean.numpy(),
        0.1 * activations.mean(axis=0),
        rtol=1e-4,
        atol=1e-6,
    )
    np.testing.assert_allclose(
        batch_norm.moving_variance.numpy(),
        0.9 + 0.1 * activations.var(axis=0),
        rtol=1e-4,
    )


def test_seed_generators_move_once_a_step():
    x, y = networks.data()
    network = keras.Sequential(
        [keras.Input((networks.FEATURES,)), keras.layers.Dropout(0.5, seed=1)]
        + [keras.layers.Dense(networks.CLASSES)]
    )
    model = amp_keras.AMPModel(network, epsilon=0.5, inner_iters=3)
    model.compile(keras.optimizers.SGD(0.1), networks.classifier_loss())
    model.train_on_batch(x, y)
    (state,) = [v for v in network.variables if "seed" in v.path]
    np.testing.assert_array_equal(state.numpy(), [1, 1])


def test_reported_loss_and_metrics_are_those_of_the_clean_weights():
    x, y = networks.data()
    network = keras.Sequential(
        [
            keras.Input((networks.FEATURES,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(networks.CLASSES, kernel_regularizer="l2"),
        ]
    )
    model = amp_keras.AMPModel(network, epsilon=1.0)
    model.compile(
        keras.optimizers.SGD(0.0),
        networks.classifier_loss(),
        metrics=["accuracy"],
    )
    history = model.fit(x, y, batch_size=20, epochs=1, verbose=0).history
    loss, accuracy = model.evaluate(x, y, batch_size=20, verbose=0)
    assert history["loss"][0] == pytest.approx(loss, rel=1e-5)
    assert history["accuracy"][0] == pytest.approx(accuracy, rel=1e-5)


@pytest.mark.skipif(
    keras.config.backend() == "jax", reason="Keras does not warn on JAX"
)
def test_all_variables_frozen_warns_as_keras_does():
    x, y = networks.data()
    network = networks.plain_mlp()
    network.trainable = False
    model = amp_keras.AMPModel(network, epsilon=0.1)
    model.compile(keras.optimizers.SGD(0.1), networks.classifier_loss())
    with pytest.warns(UserWarning, match="any trainable weights"):
        model.train_on_batch(x, y)


def test_gradients_of_the_ascent_are_clipped_to_inner_clipnorm():
    """(3, 4) is clipped to (1.5, 2), so the ascent leads to (3.15, 4.2)."""
    network = networks.TwoScalars(3.0, 4.0)
    model = amp_keras.AMPModel(
        network, epsilon=10.0, inner_lr=0.1, inner_clipnorm=2.5
    )
    model.compile(keras.optimizers.SGD(0.1), loss=networks.half_squares)
    model.train_on_batch(np.zeros((5, 2)), np.zeros((5, 2)))
    result = [float(network.first), float(network.second)]
    np.testing.assert_allclose(result, [3.0 - 0.315, 4.0 - 0.42], rtol=1e-6)


class CountsItsCalls(keras.layers.Dense):
    calls = 0

    def call(self, inputs, training=None):
        self.calls += 1
        return super().call(inputs, training=training)


@pytest.mark.parametrize("log_perturbation", [False, True])
@pytest.mark.parametrize("inner_iters", [0, 1, 3])
def test_step_makes_one_pass_and_one_for_each_ascent(
    inner_iters, log_perturbation
):
    x, y = networks.data()
    layer = CountsItsCalls(networks.CLASSES)
    model = amp_keras.AMPModel(
        keras.Sequential([keras.Input((networks.FEATURES,)), layer]),
        epsilon=0.1,
        inner_iters=inner_iters,
        log_perturbation=log_perturbation,
    )
    model.compile(
        keras.optimizers.SGD(0.1), networks.classifier_loss(), run_eagerly=True
    )
    model.train_on_batch(x, y)
    before = layer.calls
    model.train_on_batch(x, y)
    assert layer.calls - before == inner_iters + 1
