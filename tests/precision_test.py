"""Loss scaling, low precision and numbers that are not finite."""

import keras
import networks
import numpy as np
import pytest

import amp_keras


@pytest.mark.parametrize("dynamic", [False, True])
def test_loss_scale_changes_nothing(dynamic):
    def run(make_optimizer):
        x, y = networks.data()
        network = networks.plain_mlp()
        model = amp_keras.AMPModel(network, epsilon=10.0, inner_lr=0.1)
        model.compile(make_optimizer(), networks.classifier_loss())
        model.fit(x, y, batch_size=16, epochs=2, verbose=0, shuffle=False)
        return network.get_weights()

    def scaled():
        if dynamic:
            return keras.optimizers.LossScaleOptimizer(
                keras.optimizers.SGD(0.1), initial_scale=1024.0
            )
        return keras.optimizers.SGD(0.1, loss_scale_factor=1024.0)

    unscaled = run(lambda: keras.optimizers.SGD(0.1))
    for a, b in zip(unscaled, run(scaled), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_overflow_under_dynamic_loss_scaling_skips_the_step():
    x, y = networks.data()
    network = networks.plain_mlp()
    model = amp_keras.AMPModel(network, epsilon=0.1)
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.1), initial_scale=1e38
    )
    model.compile(optimizer, networks.classifier_loss())
    before = [w.numpy() for w in network.trainable_weights]
    loss = float(model.train_on_batch(100.0 * x, y))
    assert np.isfinite(loss)
    for value, weight in zip(before, network.trainable_weights, strict=True):
        np.testing.assert_array_equal(value, weight.numpy())
    assert float(optimizer.dynamic_scale) == pytest.approx(5e37)


def test_run_that_overflows_goes_on_with_finite_weights():
    """Steps are skipped until the loss scale is one that float16 bears."""
    keras.config.set_dtype_policy("mixed_float16")
    x, y = networks.data()
    network = networks.plain_mlp()
    model = amp_keras.AMPModel(network, epsilon=0.05)
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.1), initial_scale=2.0**24
    )
    model.compile(optimizer, networks.classifier_loss())
    losses = model.fit(
        x, y, batch_size=16, epochs=12, verbose=0, shuffle=False
    ).history["loss"]
    assert np.all(np.isfinite(losses)) and losses[-1] < 0.7 * losses[0]
    assert all(np.all(np.isfinite(w)) for w in network.get_weights())
    skipped = np.log2(2.0**24 / float(optimizer.dynamic_scale))
    assert 3 <= skipped <= 18
    assert int(optimizer.inner_optimizer.iterations) == 36 - skipped


PRECISIONS = {
    "mixed_float16": 2e-3,
    "mixed_bfloat16": 2e-2,
    "float16": 5e-3,
    "float64": 1e-6,
}
if keras.config.backend() == "jax":
    # Only where the whole process is set to it.
    del PRECISIONS["float64"]


@pytest.mark.parametrize("policy, tolerance", PRECISIONS.items())
def test_other_precisions_follow_float32(policy, tolerance):
    """The perturbation, of a step size that overflows float16, included."""

    def network():
        return keras.Sequential(
            [
                keras.Input((networks.FEATURES,)),
                keras.layers.Dense(16, activation="tanh"),
                keras.layers.Dense(3),
            ]
        )

    start = network().get_weights()

    def fit(policy, epsilon):
        keras.config.set_dtype_policy(policy)
        x, _ = networks.data()
        trained = network()
        trained.set_weights(start)
        model = amp_keras.AMPModel(trained, epsilon=epsilon, inner_lr=1e6)
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.fit(x, x[:, :3], batch_size=16, verbose=0, shuffle=False)
        return np.concatenate(
            [w.numpy().astype("float32").ravel() for w in trained.weights]
        )

    expected = fit("float32", 0.5)
    np.testing.assert_allclose(fit(policy, 0.5), expected, atol=tolerance)
    assert np.max(np.abs(fit("float32", 0.0) - expected)) > 2 * tolerance


class SquareRoot(keras.Model):
    """Outputs the square root of its weight."""

    def __init__(self, start):
        super().__init__()
        self.weight = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(start)
        )

    def call(self, inputs):
        return keras.ops.sqrt(self.weight) + 0.0 * inputs


# At 0 the loss is finite and its gradient is not. At 0.25 the descent that
# maximizes -sqrt(w) ends at a negative weight, where nothing is finite.
@pytest.mark.parametrize("start, sign", [(0.0, 1.0), (0.25, -1.0)])
@pytest.mark.parametrize(
    "arguments", [{}, {"inner_iters": 2}, {"norm": "per_variable"}]
)
def test_non_finite_step_stops_training_with_finite_weights(
    start, sign, arguments
):
    network = SquareRoot(start)
    model = amp_keras.AMPModel(network, epsilon=1.0, **arguments)
    model.compile(
        keras.optimizers.SGD(0.1), loss=lambda y_true, y_pred: sign * y_pred
    )
    history = model.fit(
        np.zeros((8, 1)),
        np.zeros((8, 1)),
        epochs=4,
        verbose=0,
        callbacks=[keras.callbacks.TerminateOnNaN()],
    )
    assert len(history.epoch) == 1
    assert np.isnan(history.history["loss"][0])
    assert float(network.weight) == start
