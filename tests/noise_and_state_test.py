"""One draw of noise a step, and state as plain Keras leaves it."""

import contextlib

import keras
import networks
import numpy as np
import pytest
from keras import layers
from keras import ops

import amp_keras

BACKEND = keras.config.backend()
SHAPE = (8, 4)
x, y = np.ones(SHAPE, "float32"), np.zeros((8, 1), "float32")


class Noise(layers.Layer):
    """Draws without a seed: from the generator that all layers share."""

    def call(self, inputs):
        return inputs + keras.random.normal(SHAPE)


class NoiseInLoop(layers.Layer):
    def __init__(self):
        super().__init__()
        self.seed_generator = keras.random.SeedGenerator(11)

    def call(self, inputs):
        def body(i, total):
            noise = keras.random.normal(SHAPE, seed=self.seed_generator)
            return i + 1, total + noise

        return ops.while_loop(lambda i, _: i < 3, body, (0, inputs))[1]


class NoiseInScan(NoiseInLoop):
    def call(self, inputs):
        def step(total, _):
            noise = keras.random.normal(SHAPE, seed=self.seed_generator)
            return total + noise, noise

        return ops.scan(step, inputs, length=3)[0]


def closed_over():
    generator = keras.random.SeedGenerator(3)
    return layers.Lambda(
        lambda t: t + keras.random.normal(SHAPE, seed=generator)
    )


def loss_with_noise():
    generator = keras.random.SeedGenerator(5)

    def loss(y_true, y_pred):
        noise = keras.random.normal((8, 1), seed=generator)
        return ops.mean((y_pred - y_true + noise) ** 2, axis=-1)

    return loss


def dropout_and_noise():
    return keras.Sequential([layers.Dropout(0.5), layers.GaussianNoise(1.0)])


def trained(make, epsilon, loss="mse", **compiled):
    """Returns loss and sharpness of three steps that leave the weights."""
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [keras.Input(batch_shape=SHAPE), make(), layers.Dense(1)]
    )
    model = amp_keras.AMPModel(network, epsilon, log_perturbation=True)
    model.compile(keras.optimizers.SGD(0.0), loss, **compiled)
    logs = []
    for _ in range(3):
        model.reset_metrics()
        logs.append(model.train_on_batch(x, y, return_dict=True))
    return np.array(
        [[float(log["loss"]), float(log["sharpness"])] for log in logs]
    )


KINDS = [closed_over, dropout_and_noise]
# On JAX Keras draws neither without a seed nor within loops.
KINDS += [] if BACKEND == "jax" else [Noise, NoiseInLoop, NoiseInScan]
WAYS = [{}, {"run_eagerly": True}] if BACKEND != "torch" else [{}]


@pytest.mark.parametrize("compiled", WAYS, ids=networks.first_key)
@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_all_passes_of_a_step_see_one_draw_of_noise(make, compiled):
    losses, sharpness = trained(make, 1e-7, **compiled).T
    np.testing.assert_allclose(sharpness, 0.0, atol=1e-4)
    # Noise and losses are those of plain Keras, step by step.
    plain, _ = trained(make, 0.0, **compiled).T
    np.testing.assert_allclose(losses, plain, rtol=1e-6)
    assert BACKEND == "jax" or len(set(losses)) == 3


def test_noise_of_a_loss_is_one_draw_a_step():
    def make():
        return layers.Activation("linear")

    losses, sharpness = trained(make, 1e-7, loss_with_noise()).T
    np.testing.assert_allclose(sharpness, 0.0, atol=1e-4)
    plain, _ = trained(make, 0.0, loss_with_noise()).T
    np.testing.assert_allclose(losses, plain, rtol=1e-6)


@pytest.mark.skipif(
    BACKEND != "tensorflow", reason="Elsewhere loops have no graph of their own"
)
def test_noise_in_a_loop_from_a_generator_of_no_layer_is_an_error():
    generator = keras.random.SeedGenerator(3)

    class Loop(NoiseInLoop):
        def __init__(self):
            layers.Layer.__init__(self)

        @property
        def seed_generator(self):
            return generator

    with pytest.raises(ValueError, match="an attribute of its layer"):
        trained(Loop, 0.1)


class CountsElsewhere(layers.Layer):
    """Counts its calls in a variable that no model lists."""

    def __init__(self, counter):
        super().__init__()
        self.find_counter = lambda: counter

    def call(self, inputs):
        counter = self.find_counter()
        counter.assign(counter + 1.0)
        return inputs


@pytest.mark.skipif(
    BACKEND == "jax", reason="Keras loses such an assignment on JAX"
)
@pytest.mark.parametrize("epsilon", [0.0, 0.1])
@pytest.mark.parametrize("inner_iters", [1, 2])
def test_variable_that_no_model_lists_is_assigned_once_a_step(
    epsilon, inner_iters
):
    counter = keras.Variable(0.0, trainable=False)
    network = keras.Sequential([CountsElsewhere(counter), layers.Dense(1)])
    network.build((None, 4))
    model = amp_keras.AMPModel(network, epsilon, inner_iters=inner_iters)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    before = float(counter)
    model.train_on_batch(x, y)
    after_first = float(counter)
    model.train_on_batch(x, y)
    assert float(counter) - after_first == 1.0
    assert after_first - before <= 2.0  # Keras may build by a call.


def with_remat_scope():
    with keras.RematScope(mode="full"):
        return layers.Dense(
            1,
            use_bias=False,
            kernel_initializer="ones",
            activation=ops.square,
        )


class RematOfFunction(layers.Layer):
    def build(self, _):
        self.kernel = self.add_weight(
            shape=(1, 1), initializer="ones", name="kernel"
        )

    def call(self, inputs):
        return keras.remat(lambda t: ops.square(t @ self.kernel))(inputs)


@pytest.mark.parametrize("make", [with_remat_scope, RematOfFunction])
def test_recomputed_layer_is_perturbed_or_named(make):
    """The loss w^2 from w = 1: the ascent leads to 1.5, the step to 0.7."""
    layer = make()
    network = keras.Sequential([keras.Input((1,)), layer])
    model = amp_keras.AMPModel(network, epsilon=0.5)
    model.compile(
        keras.optimizers.SGD(0.1),
        lambda _, y_pred: y_pred,
        # In graphs of TensorFlow Keras' scope raises an error of its own.
        run_eagerly=BACKEND == "tensorflow",
    )
    error = contextlib.nullcontext()
    if BACKEND == "tensorflow":
        error = pytest.raises(ValueError, match="rematerialization.*kernel")
    with error:
        model.train_on_batch(np.ones((1, 1)), np.zeros((1, 1)))
    expected = 1.0 if BACKEND == "tensorflow" else 0.7
    assert float(ops.squeeze(layer.kernel)) == pytest.approx(expected)


class Routed(keras.Model):
    """Gives its input to an expert as long as its gate is below 0.15."""

    def __init__(self):
        super().__init__()
        self.gate = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(0.1)
        )
        self.expert = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(2.0)
        )

    def call(self, inputs):
        def use_expert():
            return 10.0 * self.gate + self.expert

        def skip():
            return 10.0 * self.gate

        if BACKEND == "jax":
            output = ops.cond(self.gate < 0.15, use_expert, skip)
        else:
            output = use_expert() if self.gate < 0.15 else skip()
        return output + 0.0 * inputs


def test_layer_that_the_perturbed_pass_does_not_call_keeps_its_weights():
    """The gradient (10, 1) leads to (0.2, 2.01), where it is (10, 0)."""
    network = Routed()
    model = amp_keras.AMPModel(network, epsilon=1.0, inner_lr=0.01)
    model.compile(
        keras.optimizers.SGD(0.01),
        lambda _, y_pred: y_pred,
        run_eagerly=BACKEND == "tensorflow",
    )
    model.train_on_batch(np.ones((1, 1)), np.zeros((1, 1)))
    assert float(network.gate) == pytest.approx(0.0, abs=1e-6)
    assert float(network.expert) == 2.0


@contextlib.contextmanager
def nan_debugger():
    if BACKEND == "tensorflow":
        import tensorflow as tf

        tf.debugging.enable_check_numerics()
        try:
            yield
        finally:
            tf.debugging.disable_check_numerics()
    elif BACKEND == "jax":
        import jax

        with jax.debug_nans(True):
            yield
    else:
        import torch

        with torch.autograd.detect_anomaly(check_nan=True):
            yield


@pytest.mark.parametrize("log_perturbation", [False, True])
@pytest.mark.parametrize("loss_scaling", [False, True])
def test_debuggers_find_no_nan_in_a_finite_step(loss_scaling, log_perturbation):
    optimizer = keras.optimizers.SGD(0.1)
    if loss_scaling:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    network = networks.plain_mlp()
    model = amp_keras.AMPModel(
        network, epsilon=0.1, log_perturbation=log_perturbation
    )
    model.compile(optimizer, networks.classifier_loss())
    start = network.get_weights()
    with nan_debugger():
        history = model.fit(*networks.data(), batch_size=16, verbose=0)
    assert np.isfinite(history.history["loss"][0])
    assert not np.array_equal(start[0], network.get_weights()[0])
