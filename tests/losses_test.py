"""Generalized cross-entropy, worked by hand."""

import keras
import numpy as np
import pytest
from gradients import loss_and_gradients

from amp_keras.losses import GeneralizedCrossEntropy

# Of the label's class, the first one, 1/4.
PROBABILITIES = np.array([[0.25, 0.75]], "float32")
LOGITS = np.log(PROBABILITIES)


def value(q, labels, logits=LOGITS):
    loss = GeneralizedCrossEntropy(q, from_logits=True)
    return float(loss(np.array(labels), logits))


@pytest.mark.parametrize(
    "q, expected",
    # The square root of 1/4 is 1/2, and (1 - 1/2) / (1/2) = 1.
    [(0.0, np.log(4)), (1e-6, np.log(4)), (0.5, 1.0), (1.0, 0.75)],
)
def test_from_cross_entropy_to_the_probability_of_other_classes(q, expected):
    assert value(q, [0]) == pytest.approx(expected, rel=1e-5)
    loss = GeneralizedCrossEntropy(q)
    assert float(loss(np.array([0]), PROBABILITIES)) == pytest.approx(
        expected, rel=1e-5
    )


def test_kinds_of_labels():
    """Of the second class, 2 (1 - sqrt(3/4)) = 0.2679492."""
    assert value(0.5, [[0]]) == value(0.5, [[1.0, 0.0]]) == value(0.5, [0])
    assert value(0.5, [[0.5, 0.5]]) == pytest.approx(
        (1.0 + 0.2679492) / 2, rel=1e-5
    )
    both = np.repeat(LOGITS, 2, axis=0)
    assert value(0.5, [0, 1], both) == value(0.5, np.eye(2), both)


def test_q_of_0_is_the_cross_entropy_of_keras_with_any_labels():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(5, 3)).astype("float32")
    shares = rng.dirichlet(np.ones(3), 5).astype("float32")
    expected = keras.losses.CategoricalCrossentropy(from_logits=True)
    assert value(0.0, shares, logits) == pytest.approx(
        float(expected(shares, logits)), rel=1e-5
    )


@pytest.mark.parametrize("logits", [[0.0, np.log(3.0)], [0.0, 200.0]])
def test_slope_is_that_of_cross_entropy_times_a_power(logits):
    """It is p^q (p - y), and 0 where p is too small for float32."""
    layer = keras.layers.Dense(2, use_bias=True)
    network = keras.Sequential([keras.Input((1,)), layer])
    layer.bias.assign(np.array(logits, "float32"))
    loss = GeneralizedCrossEntropy(0.5, from_logits=True)
    zero = np.zeros((1, 1), "float32")
    _, (_, slope) = loss_and_gradients(
        network, lambda: loss(np.array([0]), network(zero))
    )
    p = 1 / (1 + np.exp(logits[1]))
    np.testing.assert_allclose(
        slope, np.sqrt(p) * np.array([p - 1, 1 - p]), rtol=1e-5, atol=1e-12
    )


def test_is_saved_with_its_arguments():
    loss = GeneralizedCrossEntropy(0.3, from_logits=True, name="robust")
    copy = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(copy) is GeneralizedCrossEntropy
    assert copy.get_config() == loss.get_config()
    assert (copy.q, copy.from_logits, copy.name) == (0.3, True, "robust")


@pytest.mark.parametrize("q", [-0.1, 1.1, float("nan")])
def test_other_q_is_refused(q):
    with pytest.raises(ValueError, match="`q` must be a float from 0 to 1"):
        GeneralizedCrossEntropy(q)
