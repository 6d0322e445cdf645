import keras
import kinds
import networks
import numpy as np
import pytest
import tiny_nets

from amp_keras.evaluation import LossSurface
from amp_keras.evaluation import eigenvalues
from amp_keras.evaluation import trace

BACKEND = keras.config.backend()
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
LOSSES = {
    "cross_entropy": (CROSS_ENTROPY, tiny_nets.cross_entropy),
    "squared_error": (keras.losses.MeanSquaredError(), tiny_nets.squared_error),
}


def tiny_surface(loss):
    """Returns a surface of 31 weights and its Hessian, from NumPy alone."""
    keras_loss, numpy_loss = LOSSES[loss]
    x, labels = tiny_nets.data()
    one_hot = np.eye(tiny_nets.CLASSES, dtype="float32")[labels]
    y = labels if loss == "cross_entropy" else one_hot
    model = tiny_nets.network()
    surface = LossSurface(model, (x, y), keras_loss, batch_size=8)

    def gradient(flat):
        return tiny_nets.loss_and_gradient(flat, x, labels, numpy_loss)[1]

    return surface, tiny_nets.hessian(gradient, surface.weights)


def from_largest(hessian):
    return np.linalg.eigvalsh(hessian)[::-1]


@pytest.mark.parametrize("loss", LOSSES)
def test_products_eigenvalues_and_trace_are_those_of_the_whole_hessian(loss):
    """The same numbers on all backends, for NumPy has them from no backend."""
    surface, hessian = tiny_surface(loss)
    vector = np.random.default_rng(0).normal(size=surface.weights.size)
    np.testing.assert_allclose(
        surface.hessian_vector_product(vector),
        hessian @ vector,
        rtol=1e-4,
        atol=1e-5,
    )
    expected = from_largest(hessian)
    found = eigenvalues(surface, count=3)
    assert found.converged
    assert found.values[0] == pytest.approx(expected[0], rel=1e-5)
    np.testing.assert_allclose(found.values, expected[:3], rtol=1e-4)
    np.testing.assert_allclose(
        found.relative, found.values * np.sum(surface.weights**2)
    )
    assert np.all(found.residuals <= 1e-4)
    whole = eigenvalues(surface, count=31)
    np.testing.assert_allclose(whole.values, expected, rtol=1e-4, atol=1e-5)
    assert whole.smallest == pytest.approx(expected[-1], rel=1e-3)
    rng = np.random.default_rng(3)
    probes = rng.choice([-1.0, 1.0], (4, 31))
    samples = np.einsum("ij,jk,ik->i", probes, hessian, probes)
    estimate = trace(surface, samples=4, seed=3)
    np.testing.assert_allclose(estimate.samples, samples, rtol=1e-3, atol=1e-4)


def test_curvature_elsewhere_than_at_the_weights():
    surface, _ = tiny_surface("cross_entropy")
    x, labels = tiny_nets.data()
    moved = surface.weights + 0.2
    hessian = tiny_nets.hessian(
        lambda flat: tiny_nets.loss_and_gradient(
            flat, x, labels, tiny_nets.cross_entropy
        )[1],
        moved,
    )
    vector = np.ones(moved.size)
    np.testing.assert_allclose(
        surface.hessian_vector_product(vector, weights=moved),
        hessian @ vector,
        rtol=1e-3,
        atol=1e-4,
    )


def diagonal_surface(diagonal, weights=None):
    diagonal = np.asarray(diagonal, "float32")
    weights = np.ones(len(diagonal)) if weights is None else weights
    rows = np.zeros((4, len(diagonal)), "float32")
    model = tiny_nets.Rows(weights)
    return LossSurface(
        model, (rows, rows + diagonal), tiny_nets.quadratic, batch_size=3
    )


def test_quadratic_has_its_closed_form():
    surface = diagonal_surface([5.0, 3.0, 1.0, -2.0])
    found = eigenvalues(surface, count=2)
    np.testing.assert_allclose(found.values, [5.0, 3.0], rtol=1e-6)
    np.testing.assert_allclose(found.relative, [20.0, 12.0], rtol=1e-6)
    assert found.smallest == pytest.approx(-2.0, abs=1e-5)
    # Signs have the square 1: a diagonal has no variance.
    estimate = trace(surface, samples=3)
    assert estimate.value == pytest.approx(7.0, rel=1e-6)
    assert estimate.standard_error == pytest.approx(0.0, abs=1e-6)
    assert estimate.relative == pytest.approx(7.0, rel=1e-6)


def test_equal_eigenvalues_are_found_where_all_are_asked_for():
    surface = diagonal_surface([5.0, 5.0, 3.0])
    found = eigenvalues(surface, count=3)
    np.testing.assert_allclose(found.values, [5.0, 5.0, 3.0], rtol=1e-6)


def test_standard_error_is_that_of_the_mean():
    surface, hessian = tiny_surface("cross_entropy")
    estimate = trace(surface, samples=50)
    error = np.std(estimate.samples, ddof=1) / np.sqrt(50)
    assert estimate.standard_error == pytest.approx(error)
    assert estimate.value == pytest.approx(np.mean(estimate.samples))
    assert abs(estimate.value - np.trace(hessian)) < 4 * error
    scale = surface.weights_norm**2 / 31
    assert estimate.relative == pytest.approx(estimate.value * scale)
    assert estimate.relative_standard_error == pytest.approx(error * scale)
    assert np.isnan(trace(surface, samples=1).standard_error)


def test_seed_chooses_start_and_probes():
    surface, _ = tiny_surface("cross_entropy")

    def measured(seed):
        found = eigenvalues(surface, max_iterations=3, seed=seed)
        return [*found.values, *trace(surface, samples=2, seed=seed).samples]

    assert measured(1) == measured(1)
    assert not np.allclose(measured(1), measured(2))


def test_too_few_iterations_have_not_converged():
    surface, hessian = tiny_surface("cross_entropy")
    found = eigenvalues(surface, max_iterations=3)
    assert not found.converged
    assert found.iterations == 3
    largest = from_largest(hessian)[0]
    scale = max(abs(found.values[0]), abs(found.smallest))
    nearest = np.min(np.abs(np.linalg.eigvalsh(hessian) - found.values[0]))
    assert nearest <= found.residuals[0] * scale
    assert found.values[0] <= largest + 1e-4


def differences(surface, vector, step):
    """Returns the product as a difference of gradients."""
    weights = surface.weights
    return (
        surface.gradient(weights + step * vector)
        - surface.gradient(weights - step * vector)
    ) / (2 * step)


def batch_normalization():
    model = networks.plain_mlp()
    # At a kink of ReLU there is no difference to compare with.
    model.layers[2].negative_slope = 1.0
    model.layers[1].moving_mean.assign(np.full(16, 0.3))
    model.layers[1].moving_variance.assign(np.full(16, 2.0))
    return model, kinds.features()


def two_inputs():
    model, x = kinds.two_inputs_two_outputs()
    return keras.Model(model.inputs, model.outputs[0]), x


def smooth_loss(y_true, y_pred):
    return keras.ops.sum(keras.ops.square(keras.ops.tanh(y_pred)), axis=-1)


@pytest.mark.parametrize(
    "kind",
    [
        batch_normalization,
        two_inputs,
        kinds.dict_inputs,
        kinds.self_attention,
        kinds.gru,
        kinds.group_normalization,
        kinds.shared_layer,
        kinds.frozen_layer,
        kinds.subclassed,
    ],
    ids=lambda kind: kind.__name__,
)
def test_products_are_differences_of_gradients(kind):
    model, x = kind()
    keras.tree.map_structure(len, x)
    if not model.built:
        model(x)
    y = np.zeros((kinds.BATCH, 1), "float32")
    surface = LossSurface(model, (x, y), smooth_loss, batch_size=5)
    vector = np.random.default_rng(0).normal(size=surface.weights.size)
    vector /= np.linalg.norm(vector)
    product = surface.hessian_vector_product(vector)
    expected = differences(surface, vector, 2e-3)
    error = np.linalg.norm(product - expected)
    assert error < 2e-3 * np.linalg.norm(expected)


def test_symmetry_on_attention():
    """The fused kernel of PyTorch has no second derivative at all."""
    model, x = kinds.self_attention()
    y = np.random.default_rng(0).integers(0, 2, kinds.BATCH)
    surface = LossSurface(model, (x, y), CROSS_ENTROPY)
    u, v = np.random.default_rng(0).normal(size=(2, surface.weights.size))
    one = u @ surface.hessian_vector_product(v)
    other = v @ surface.hessian_vector_product(u)
    assert one == pytest.approx(other, rel=1e-3)


def test_variable_without_influence_has_no_curvature():
    surface, _ = tiny_surface("cross_entropy")

    def linear(y_true, y_pred):
        return keras.ops.sum(y_pred, axis=-1)

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    surface = LossSurface(model, tiny_nets.data(), linear)
    vector = np.ones(surface.weights.size)
    assert not np.any(surface.hessian_vector_product(vector))
    found = eigenvalues(surface)
    assert found.values[0] == 0.0
    assert found.converged


class Once(keras.layers.Layer):
    """The square, whose derivative has no derivative on this backend."""

    def call(self, inputs):
        return {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[
            BACKEND
        ](inputs)


def _tensorflow(x):
    import tensorflow as tf

    images = tf.reshape(x, (-1, 3, 1, 1))
    return tf.reshape(tf.image.resize(images, (3, 1), "bicubic"), (-1, 3))


def _jax(x):
    import jax

    @jax.custom_vjp
    def square(x):
        return x**2

    def backward(x, gradient):
        def body(state):
            return state[0] + 1, state[1] * x

        steps = jax.lax.while_loop(lambda s: s[0] < 1, body, (0, 2 * gradient))
        return (steps[1],)

    square.defvjp(lambda x: (x**2, x), backward)
    return square(x)


def _torch(x):
    import torch

    log_probabilities = torch.log_softmax(x.reshape((1, -1, 3)), dim=-1)
    return x * torch.nn.functional.ctc_loss(
        log_probabilities,
        torch.ones((x.shape[0], 1), dtype=torch.long),
        torch.ones(x.shape[0], dtype=torch.long),
        torch.ones(x.shape[0], dtype=torch.long),
    )


def test_operation_without_second_derivative_is_named():
    name = {
        "tensorflow": "ResizeBicubicGrad",
        "jax": "while_loop",
        "torch": "_ctc_loss_backward",
    }[BACKEND]
    dense = keras.layers.Dense(3)
    model = keras.Sequential([keras.Input((3,)), dense, Once()])
    surface = LossSurface(model, tiny_nets.data(), CROSS_ENTROPY)
    assert np.any(surface.gradient())
    with pytest.raises(NotImplementedError, match=f"Received: .*{name}"):
        eigenvalues(surface)


def test_other_errors_stay_what_they_are():
    class Broken(keras.layers.Layer):
        def call(self, inputs):
            if self.broken:
                raise ValueError("`broken` must be False.")
            return inputs

    layer = Broken()
    layer.broken = False
    dense = keras.layers.Dense(3)
    model = keras.Sequential([keras.Input((3,)), dense, layer])
    surface = LossSurface(model, tiny_nets.data(), CROSS_ENTROPY)
    layer.broken = True
    with pytest.raises(ValueError, match="`broken` must be False"):
        eigenvalues(surface)


def test_product_that_is_not_finite_is_refused():
    surface = diagonal_surface([1.0, np.nan])
    with pytest.raises(ValueError, match="must be finite. Received: "):
        eigenvalues(surface)


def test_bad_arguments_are_refused():
    surface = diagonal_surface([1.0, 2.0])
    for arguments in ({"count": 0}, {"count": 3}, {"max_iterations": 0}):
        with pytest.raises(ValueError, match="`count` must be at least 1"):
            eigenvalues(surface, **arguments)
    with pytest.raises(ValueError, match="Received: samples=0"):
        trace(surface, samples=0)
