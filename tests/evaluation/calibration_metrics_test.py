import keras
import numpy as np
import pytest
import sklearn.metrics
from calibration_test import brute_force
from calibration_test import predictions

from amp_keras.evaluation import BrierScore
from amp_keras.evaluation import ExpectedCalibrationError
from amp_keras.evaluation import brier_score
from amp_keras.evaluation import expected_calibration_error


def streamed(metric, labels, outputs, weights=None):
    """Returns the result after batches of unequal sizes."""
    parts = np.split(np.arange(len(labels)), [100, 350])
    for part in parts:
        metric.update_state(
            labels[part],
            outputs[part],
            sample_weight=None if weights is None else weights[part],
        )
    return float(metric.result())


def test_error_over_batches_is_that_of_brute_force():
    labels, probabilities, _, weights = predictions(dtype="float32")
    edges = np.arange(11) / 10
    expected = brute_force(labels, probabilities, edges, weights)
    metric = ExpectedCalibrationError(bins=10)
    result = streamed(metric, labels, probabilities, weights)
    assert result == pytest.approx(expected, abs=1e-6)


def test_brier_score_over_batches_is_that_of_scikit_learn():
    labels, probabilities, _, weights = predictions()
    expected = sklearn.metrics.brier_score_loss(
        labels,
        probabilities,
        sample_weight=weights,
        labels=range(4),
        scale_by_half=False,
    )
    result = streamed(BrierScore(), labels, probabilities, weights)
    assert result == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "metric_class, function",
    [
        (ExpectedCalibrationError, expected_calibration_error),
        (BrierScore, brier_score),
    ],
)
def test_metric_has_the_definition_of_the_function(metric_class, function):
    labels, probabilities, logits, weights = predictions(dtype="float32")
    one_hot = np.eye(4)[labels]
    expected = function(labels, probabilities, sample_weight=weights)
    for y_true, y_pred, from_logits in (
        (labels, probabilities, False),
        (labels[:, None], logits, True),
        (one_hot, logits, True),
    ):
        metric = metric_class(from_logits=from_logits)
        result = streamed(metric, y_true, y_pred, weights)
        assert result == pytest.approx(expected, abs=1e-5)
    metric.reset_state()
    assert float(metric.result()) == 0.0


def test_confidence_on_an_edge_lies_below_it_as_in_the_function():
    # 0.6 of float32 is above 0.6 of float64.
    probabilities = np.array([[0.6, 0.4], [0.61, 0.39]], "float32")
    labels = np.array([1, 0])
    metric = ExpectedCalibrationError(bins=5)
    metric.update_state(labels, probabilities)
    assert float(metric.result()) == pytest.approx((0.6 + 0.39) / 2)
    assert expected_calibration_error(
        labels, probabilities, bins=5
    ) == pytest.approx((0.6 + 0.39) / 2)


@pytest.mark.parametrize(
    "metric, config",
    [
        (
            ExpectedCalibrationError(bins=7, from_logits=True, name="ece"),
            {"bins": 7, "from_logits": True, "name": "ece"},
        ),
        (
            BrierScore(from_logits=True, name="brier"),
            {"from_logits": True, "name": "brier"},
        ),
    ],
)
def test_configuration_goes_round(metric, config):
    config = {**config, "dtype": metric.get_config()["dtype"]}
    assert metric.get_config() == config
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(metric)
    )
    assert type(again) is type(metric)
    assert again.get_config() == config


def test_compiled_model_reports_and_saves_them(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 6)), rng.integers(0, 3, 50)
    weights = rng.uniform(0.5, 2.0, 50)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    metrics = [
        ExpectedCalibrationError(from_logits=True, name="ece"),
        BrierScore(from_logits=True, name="brier"),
    ]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, weighted_metrics=metrics)
    model.fit(x, y, batch_size=16, verbose=0)
    model.save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras")
    logits = model.predict(x, verbose=0)
    results = model.evaluate(
        x, y, sample_weight=weights, batch_size=16, return_dict=True, verbose=0
    )
    assert results["ece"] == pytest.approx(
        expected_calibration_error(
            y, logits, from_logits=True, sample_weight=weights
        ),
        abs=1e-5,
    )
    assert results["brier"] == pytest.approx(
        brier_score(y, logits, from_logits=True, sample_weight=weights),
        abs=1e-5,
    )


def test_bad_bins_are_refused():
    with pytest.raises(ValueError, match="`bins` must be .* Received: bins=0"):
        ExpectedCalibrationError(bins=0)
