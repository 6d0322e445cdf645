import keras
import numpy as np
import pytest
import sklearn.metrics

from amp_keras.evaluation import brier_score
from amp_keras.evaluation import expected_calibration_error
from amp_keras.evaluation import reliability


def predictions(examples=500, classes=4, dtype="float64", seed=0):
    """Returns labels, probabilities, logits and weights."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2.0, size=(examples, classes)).astype(dtype)
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    labels = rng.integers(0, classes, examples)
    weights = rng.uniform(0.5, 2.0, examples)
    return labels, probabilities, logits, weights


def brute_force(labels, probabilities, edges, weights):
    """Example by example and bin by bin, by the formula of Guo et al."""
    error = 0.0
    for low, high in zip(edges[:-1], edges[1:]):
        accuracy = confidence = mass = 0.0
        for label, row, weight in zip(labels, probabilities, weights):
            if low < max(row) <= high:
                mass += weight
                confidence += weight * max(row)
                accuracy += weight * (list(row).index(max(row)) == label)
        if mass:
            gap = abs(accuracy / mass - confidence / mass)
            error += mass / sum(weights) * gap
    return error


def test_worked_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])
    labels = np.array([0, 1, 1, 0])
    # Two bins: all confidences, 0.9, 0.8, 0.7 and 0.6, lie in the upper one,
    # of mean 0.75, and half of the predictions are right.
    error = expected_calibration_error(labels, probabilities, bins=2)
    assert error == pytest.approx(0.25)
    # Ten bins: each has one example; the gaps are 0.1, 0.8, 0.3 and 0.6.
    error = expected_calibration_error(labels, probabilities, bins=10)
    assert error == pytest.approx((0.1 + 0.8 + 0.3 + 0.6) / 4)
    # Two bins of two: (0.6, wrong; 0.7, right) and (0.8, wrong; 0.9, right).
    error = expected_calibration_error(
        labels, probabilities, bins=2, binning="equal_mass"
    )
    assert error == pytest.approx((0.15 + 0.35) / 2)
    # Squares: 2 * 0.01, 2 * 0.64, 2 * 0.09, 2 * 0.36.
    assert brier_score(labels, probabilities) == pytest.approx(0.55)


def test_confident_and_right_is_perfect():
    probabilities = np.eye(3)
    assert expected_calibration_error(np.arange(3), probabilities) == 0.0
    assert brier_score(np.arange(3), probabilities) == 0.0


def test_confident_and_wrong_is_worst():
    labels = np.array([1, 2, 0])
    assert expected_calibration_error(labels, np.eye(3)) == 1.0
    assert brier_score(labels, np.eye(3)) == 2.0


def test_calibrated_predictions_have_a_small_error():
    rng = np.random.default_rng(0)
    positive = rng.uniform(size=200_000)
    labels = (rng.uniform(size=positive.size) < positive).astype(int)
    probabilities = np.stack([1 - positive, positive], axis=-1)
    assert expected_calibration_error(labels, probabilities) < 0.01


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bins", [1, 5, 15])
def test_error_is_that_of_brute_force(bins, dtype):
    labels, probabilities, _, weights = predictions(dtype=dtype)
    edges = np.arange(bins + 1) / bins
    expected = brute_force(labels, probabilities, edges, weights)
    assert expected_calibration_error(
        labels, probabilities, bins, sample_weight=weights
    ) == pytest.approx(expected, rel=1e-6)


def test_equal_mass_is_that_of_sorted_parts():
    labels, probabilities, _, _ = predictions(examples=60)
    order = np.argsort(probabilities.max(-1))
    expected = 0.0
    for part in np.split(order, 5):
        right = probabilities[part].argmax(-1) == labels[part]
        gap = np.mean(right) - np.mean(probabilities[part].max(-1))
        expected += abs(gap) / 5
    assert expected_calibration_error(
        labels, probabilities, bins=5, binning="equal_mass"
    ) == pytest.approx(expected)


def test_equal_mass_does_not_depend_on_the_order_of_equal_confidences():
    labels = np.array([0, 0, 0, 1, 1, 1, 0, 1])
    probabilities = np.tile([[0.8, 0.2]], (8, 1))
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(8)
        error = expected_calibration_error(
            labels[order], probabilities, bins=4, binning="equal_mass"
        )
        assert error == pytest.approx(0.8 - 0.5)


def test_weight_of_two_is_the_example_twice():
    labels, probabilities, _, _ = predictions(examples=50)
    twice = np.concatenate([np.arange(50), np.arange(20)])
    weights = np.where(np.arange(50) < 20, 2.0, 1.0)
    for binning in ("equal_width", "equal_mass"):
        assert expected_calibration_error(
            labels, probabilities, 5, binning, sample_weight=weights
        ) == pytest.approx(
            expected_calibration_error(
                labels[twice], probabilities[twice], 5, binning
            )
        )
    assert brier_score(
        labels, probabilities, sample_weight=weights
    ) == pytest.approx(brier_score(labels[twice], probabilities[twice]))


@pytest.mark.parametrize("metric", [expected_calibration_error, brier_score])
def test_forms_of_labels_and_predictions_agree(metric):
    labels, probabilities, logits, _ = predictions()
    expected = metric(labels, probabilities)
    assert metric(np.eye(4)[labels], probabilities) == pytest.approx(expected)
    assert metric(labels[:, None], probabilities) == pytest.approx(expected)
    assert metric(labels, logits, from_logits=True) == pytest.approx(expected)
    assert metric(
        keras.ops.convert_to_tensor(labels),
        keras.ops.convert_to_tensor(probabilities, "float32"),
    ) == pytest.approx(expected, abs=1e-5)
    # One prediction for each of 5 pixels of 100 images.
    assert metric(
        labels.reshape((100, 5)), probabilities.reshape((100, 5, 4))
    ) == pytest.approx(expected)


@pytest.mark.parametrize("metric", [expected_calibration_error, brier_score])
def test_a_single_column_is_class_one_of_two(metric):
    labels, probabilities, logits, _ = predictions(classes=2)
    expected = metric(labels, probabilities)
    assert metric(labels, probabilities[:, 1:]) == pytest.approx(expected)
    logit = logits[:, 1:] - logits[:, :1]
    assert metric(labels, logit, from_logits=True) == pytest.approx(expected)


def test_brier_score_is_that_of_scikit_learn():
    labels, probabilities, _, weights = predictions()
    assert brier_score(
        labels, probabilities, sample_weight=weights
    ) == pytest.approx(
        sklearn.metrics.brier_score_loss(
            labels,
            probabilities,
            sample_weight=weights,
            labels=range(4),
            scale_by_half=False,
        )
    )
    labels, probabilities, _, _ = predictions(classes=2)
    of_one = sklearn.metrics.brier_score_loss(labels, probabilities[:, 1])
    assert brier_score(labels, probabilities) == pytest.approx(2 * of_one)


def test_reliability_has_the_counts_and_the_gaps():
    labels, probabilities, _, _ = predictions()
    for binning in ("equal_width", "equal_mass"):
        diagram = reliability(labels, probabilities, 10, binning)
        assert diagram.edges.shape == (11,)
        assert diagram.weights.sum() == 500
        gaps = np.abs(diagram.accuracy - diagram.confidence)
        assert np.nansum(gaps * diagram.weights) / 500 == pytest.approx(
            expected_calibration_error(labels, probabilities, 10, binning)
        )
        filled = diagram.weights > 0
        assert np.all(diagram.confidence[filled] <= diagram.edges[1:][filled])
        assert np.all(diagram.confidence[filled] > diagram.edges[:-1][filled])
    assert list(diagram.weights) == [50] * 10


def test_bad_arguments_are_refused():
    labels, probabilities, _, _ = predictions()
    with pytest.raises(ValueError, match="`bins` must be .* Received: bins=0"):
        expected_calibration_error(labels, probabilities, bins=0)
    with pytest.raises(ValueError, match="`binning` must be one of"):
        expected_calibration_error(labels, probabilities, binning="width")
    with pytest.raises(ValueError, match=r"labels of shape \(499,\)"):
        brier_score(labels[1:], probabilities)
    with pytest.raises(ValueError, match="an array of shape"):
        brier_score(labels, probabilities[:, 0])
