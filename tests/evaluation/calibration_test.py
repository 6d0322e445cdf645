import numpy as np
import pytest

from amp_keras.evaluation import expected_calibration_error


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


def test_confident_and_right_is_perfect():
    probabilities = np.eye(3)
    assert expected_calibration_error(np.arange(3), probabilities) == 0.0


def test_confident_and_wrong_is_worst():
    probabilities = np.eye(3)
    assert expected_calibration_error(np.array([1, 2, 0]), probabilities) == 1.0


def test_calibrated_predictions_have_a_small_error():
    rng = np.random.default_rng(0)
    positive = rng.uniform(size=200_000)
    labels = (rng.uniform(size=positive.size) < positive).astype(int)
    probabilities = np.stack([1 - positive, positive], axis=-1)
    assert expected_calibration_error(labels, probabilities) < 0.01
