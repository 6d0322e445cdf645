"""Subclasses of `AMPModel` with a perturbation of their own."""

import pathlib
import re

import keras
import networks
import numpy as np
import pytest

import amp_keras

DOCS = pathlib.Path(__file__).parents[1] / "docs" / "method.md"
x, y = np.zeros((5, 2)), np.zeros((5, 2))


def asam():
    """The class that the docs define."""
    (code,) = re.findall(
        r"```python\n(class ASAM.*?)```", DOCS.read_text(), re.DOTALL
    )
    namespace = {"keras": keras, "amp_keras": amp_keras}
    exec(code, namespace)
    return namespace["ASAM"]


def trained(model, steps=1):
    """Returns the weights and logs of steps of SGD on (u^2 + v^2) / 2."""
    model.compile(keras.optimizers.SGD(0.1), loss=networks.half_squares)
    for _ in range(steps):
        logs = model.train_on_batch(x, y, return_dict=True)
    logs = {name: float(value) for name, value in logs.items()}
    return [w.numpy() for w in model.trainable_weights], logs


def test_asam_worked_by_hand():
    """The gradient is (3, 4), and T = (3.01, 4.01) with eta = 0.01.

    T g = (9.03, 16.04), of norm 18.407131, so the perturbation is
    0.5 (27.1803, 64.3204) / 18.407131 = (0.738309, 1.747160).
    """
    network = networks.TwoScalars(3.0, 4.0)
    weights, logs = trained(asam()(network, epsilon=0.5))
    np.testing.assert_allclose(
        weights, [3.0 - 0.1 * 3.738309, 4.0 - 0.1 * 5.747160], rtol=1e-6
    )
    assert logs["loss"] == pytest.approx(12.5)


@pytest.mark.parametrize("norm", ["global", "per_variable"])
def test_random_perturbation_is_noise_of_norm_epsilon(norm):
    """The step from w is w - 0.1 (w + p), so it tells what p was."""
    network = networks.TwoScalars(3.0, 4.0)
    model = amp_keras.RandomPerturbation(
        network, epsilon=0.5, norm=norm, seed=1, log_perturbation=True
    )
    weights, logs = trained(model)
    noise = (np.array([3.0, 4.0]) - weights) / 0.1 - [3.0, 4.0]
    norms = np.abs(noise) if norm == "per_variable" else np.linalg.norm(noise)
    np.testing.assert_allclose(norms, 0.5, rtol=1e-4)
    # The loss is that of the one pass, at the perturbed weights.
    loss = np.sum((noise + [3.0, 4.0]) ** 2) / 2
    assert logs["loss"] == pytest.approx(loss, rel=1e-5)
    assert logs["sharpness"] == 0.0
    assert logs["perturbation_norm"] == pytest.approx(
        0.5 if norm == "global" else 0.5 * np.sqrt(2), rel=1e-5
    )


def test_random_perturbation_is_drawn_anew_in_each_step():
    def first_and_second(seed):
        model = amp_keras.RandomPerturbation(
            networks.TwoScalars(3.0, 4.0), epsilon=0.5, seed=seed
        )
        first, _ = trained(model)
        second, _ = trained(model)
        return np.array(first), np.array(second)

    first, second = first_and_second(seed=1)
    before = np.array([3.0, 4.0])
    assert not np.allclose(before - first / 0.9, first - second / 0.9)
    np.testing.assert_array_equal(first_and_second(seed=1), (first, second))
    assert not np.array_equal(first_and_second(seed=2)[0], first)


class CountsItsCalls(keras.layers.Dense):
    calls = 0

    def call(self, inputs, training=None):
        self.calls += 1
        return super().call(inputs, training=training)


def test_random_perturbation_costs_one_pass():
    layer = CountsItsCalls(networks.CLASSES)
    network = keras.Sequential([keras.Input((networks.FEATURES,)), layer])
    model = amp_keras.RandomPerturbation(network, epsilon=0.1)
    model.compile(
        keras.optimizers.SGD(0.1), networks.classifier_loss(), run_eagerly=True
    )
    model.train_on_batch(*networks.data())
    before = layer.calls
    model.train_on_batch(*networks.data())
    assert layer.calls - before == 1


def test_random_perturbation_of_zero_is_plain_training():
    def weights(make):
        model = make(networks.plain_mlp())
        model.compile(keras.optimizers.SGD(0.1), networks.classifier_loss())
        keras.utils.set_random_seed(0)
        model.fit(*networks.data(), verbose=0)
        return model.get_weights()

    expected = weights(lambda network: network)
    actual = weights(lambda network: amp_keras.RandomPerturbation(network, 0.0))
    for a, b in zip(expected, actual, strict=True):
        np.testing.assert_array_equal(a, b)


def test_random_perturbation_is_saved_with_its_arguments(tmp_path):
    model = amp_keras.RandomPerturbation(
        networks.plain_mlp(), 0.5, norm="per_variable", perturb="kernel", seed=3
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is amp_keras.RandomPerturbation
    assert (loaded.epsilon, loaded.norm, loaded.perturb, loaded.seed) == (
        0.5,
        "per_variable",
        "kernel",
        3,
    )
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(loaded.weights) == len(networks.plain_mlp().weights)
