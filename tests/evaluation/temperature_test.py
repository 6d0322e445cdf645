import subprocess
import sys

import keras
import numpy as np
import pytest
import scipy.optimize
import scipy.special

from amp_keras.evaluation import cross_fit_temperature
from amp_keras.evaluation import fit_temperature
from amp_keras.evaluation import with_temperature


def sampled(temperature, examples=20_000, classes=5, seed=0):
    """Returns logits, and labels drawn from them at a temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=3.0, size=(examples, classes))
    noise = rng.gumbel(size=logits.shape)
    return logits, np.argmax(logits / temperature + noise, axis=-1)


def nll(logits, labels, temperature, weights=None):
    values = -scipy.special.log_softmax(logits / temperature, axis=-1)
    of_truth = values[np.arange(len(labels)), labels]
    return np.average(of_truth, weights=weights)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_temperature_of_sampled_labels_is_found(temperature):
    logits, labels = sampled(temperature)
    assert fit_temperature(logits, labels) == pytest.approx(
        temperature, rel=0.05
    )


def test_temperature_is_that_of_scipy():
    logits, labels = sampled(2.0, examples=300)
    weights = np.random.default_rng(1).uniform(0.0, 3.0, 300)
    expected = scipy.optimize.minimize_scalar(
        lambda t: nll(logits, labels, t, weights),
        bounds=(0.1, 10.0),
        method="bounded",
        options={"xatol": 1e-10},
    ).x
    found = fit_temperature(logits, labels, sample_weight=weights)
    assert found == pytest.approx(expected, rel=1e-6)
    one_hot = np.eye(5)[labels]
    found = fit_temperature(logits, one_hot, sample_weight=weights)
    assert found == pytest.approx(expected, rel=1e-6)
    log_probabilities = scipy.special.log_softmax(logits, axis=-1)
    found = fit_temperature(log_probabilities, labels, sample_weight=weights)
    assert found == pytest.approx(expected, rel=1e-6)


def test_single_column_is_the_logit_of_class_one_of_two():
    logits, labels = sampled(2.0, examples=300, classes=2)
    expected = fit_temperature(logits, labels)
    logit = logits[:, 1:] - logits[:, :1]
    assert fit_temperature(logit, labels) == pytest.approx(expected)


def test_scaled_logits_scale_the_temperature():
    logits, labels = sampled(1.5, examples=300)
    expected = fit_temperature(logits, labels)
    for factor in (0.1, 7.0):
        assert fit_temperature(factor * logits, labels) == pytest.approx(
            factor * expected, rel=1e-6
        )


def test_predictions_that_are_all_right_end_at_the_limit():
    logits = 10.0 * np.eye(3)
    with pytest.warns(UserWarning, match="Returned: 0.05, the limit"):
        assert fit_temperature(logits, np.arange(3), limits=(0.05, 20)) == 0.05
    with pytest.warns(UserWarning, match="Returned: 100.0, the limit"):
        assert fit_temperature(logits, np.array([1, 2, 0])) == 100.0


def test_logits_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="`logits` must be finite"):
        fit_temperature(np.array([[0.0, np.nan]]), np.array([0]))


def test_halves_are_scaled_by_the_temperature_of_the_other():
    logits, labels = sampled(3.0, examples=301)
    scaled, temperatures = cross_fit_temperature(logits, labels, seed=4)
    of_example = logits[:, 0] / scaled[:, 0]
    for used, other in zip(temperatures, temperatures[::-1]):
        fitted_on = np.isclose(of_example, other)
        expected = fit_temperature(logits[fitted_on], labels[fitted_on])
        assert used == pytest.approx(expected)
        assert np.sum(fitted_on) in (150, 151)
    assert temperatures[0] != temperatures[1]
    again, _ = cross_fit_temperature(logits, labels, seed=4)
    np.testing.assert_array_equal(scaled, again)
    other, _ = cross_fit_temperature(logits, labels, seed=5)
    assert not np.array_equal(scaled, other)


def two_inputs(activation=None):
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    x = keras.layers.Concatenate()([a, b])
    x = keras.layers.Dense(4, activation=activation)(x)
    return keras.Model({"a": a, "b": b}, x)


def test_model_with_temperature_is_a_plain_model(tmp_path):
    """It loads, in safe mode, where amp_keras cannot be imported."""
    rng = np.random.default_rng(0)
    x = {"a": rng.normal(size=(7, 3)), "b": rng.normal(size=(7, 2))}
    logits_model, softmax_model = two_inputs(), two_inputs("softmax")
    softmax_model.set_weights(logits_model.get_weights())
    logits = logits_model.predict(x, verbose=0)
    calibrated = with_temperature(logits_model, 2.5)
    np.testing.assert_allclose(
        calibrated.predict(x, verbose=0), logits / 2.5, rtol=1e-6
    )
    expected = scipy.special.softmax(logits / 2.5, axis=-1)
    probabilities = with_temperature(softmax_model, 2.5, from_logits=False)
    np.testing.assert_allclose(
        probabilities.predict(x, verbose=0), expected, rtol=1e-4
    )
    calibrated.save(tmp_path / "logits.keras")
    probabilities.save(tmp_path / "probabilities.keras")
    np.savez(tmp_path / "data.npz", **x, logits=logits / 2.5, softmax=expected)
    code = (
        "import sys, keras, numpy as np\n"
        "sys.modules['amp_keras'] = None\n"
        "data = np.load('data.npz')\n"
        "x = {'a': data['a'], 'b': data['b']}\n"
        "for name, key in (('logits', 'logits'), ('probabilities', 'softmax')):"
        "\n"
        "    model = keras.saving.load_model(f'{name}.keras', safe_mode=True)\n"
        "    found = model.predict(x, verbose=0)\n"
        "    np.testing.assert_allclose(found, data[key], rtol=1e-4)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.out = keras.layers.Dense(4)

    def call(self, inputs):
        return self.out(inputs)


def test_subclassed_model_with_temperature():
    model, x = Subclassed(), np.ones((2, 3), "float32")
    logits = model.predict(x, verbose=0)
    calibrated = with_temperature(model, 0.5)
    np.testing.assert_allclose(calibrated.predict(x, verbose=0), 2.0 * logits)


def test_models_without_logits_are_refused():
    with pytest.raises(ValueError, match="must return logits"):
        with_temperature(two_inputs("softmax"), 2.0)
    with pytest.raises(ValueError, match="Sequential or functional"):
        with_temperature(Subclassed(), 2.0, from_logits=False)
    with pytest.raises(ValueError, match="Received: temperature=0"):
        with_temperature(two_inputs(), 0)
    inputs = keras.Input((3,))
    outputs = [keras.layers.Dense(2)(inputs) for _ in range(2)]
    with pytest.raises(ValueError, match="`model` must have one output"):
        with_temperature(keras.Model(inputs, outputs), 2.0)
