import numpy as np
import pytest
import scipy.special
import sklearn.metrics

from amp_keras.experiments import classification
from amp_keras.experiments import metrics


def sampled(temperature, examples=2000, classes=4, seed=0):
    """Log-probabilities that are right at a temperature, and labels."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2.0, size=(examples, classes))
    shares = scipy.special.softmax(logits, axis=-1)
    labels = (rng.random((examples, 1)) > shares.cumsum(-1)).sum(-1)
    return labels, scipy.special.log_softmax(temperature * logits, axis=-1)


def test_metrics_are_those_of_scikit_learn():
    labels, predicted = sampled(1.5)
    found = metrics.compute(labels, predicted, metrics.of_evaluation())
    probabilities = np.exp(predicted)
    assert found["accuracy"] == sklearn.metrics.accuracy_score(
        labels, predicted.argmax(-1)
    )
    assert found["loss"] == pytest.approx(
        sklearn.metrics.log_loss(labels, probabilities)
    )
    assert found["brier"] == pytest.approx(
        sklearn.metrics.brier_score_loss(
            labels, probabilities, labels=range(4), scale_by_half=False
        )
    )


def test_report_scales_by_the_temperature_of_validation_data():
    labels, predicted = sampled(2.0)
    validation = sampled(2.0, seed=1)
    found = classification.report(labels, predicted, "abcd", validation)
    assert found["fitted_on"] == classification.VALIDATION
    (temperature,) = found["temperatures"]
    assert temperature == pytest.approx(2.0, rel=0.1)
    expected = scipy.special.log_softmax(predicted / temperature, axis=-1)
    for key, values in (("before", predicted), ("after", expected)):
        wanted = metrics.compute(labels, values, metrics.of_evaluation())
        assert {m: found[key][m] for m in wanted} == pytest.approx(wanted)
        assert np.sum(found[key]["reliability"]["weights"]) == 2000
    assert found["after"]["ece"] < found["before"]["ece"] / 2


def test_without_validation_data_halves_scale_each_other():
    labels, predicted = sampled(2.0)
    found = classification.report(labels, predicted, "abcd")
    assert found["fitted_on"] == classification.HALVES
    assert found["temperatures"] == pytest.approx([2.0, 2.0], rel=0.1)
    assert found["after"]["loss"] < found["before"]["loss"]
    assert found["after"]["accuracy"] == found["before"]["accuracy"]


def test_predictions_that_are_all_right_are_not_scaled():
    labels = np.arange(8) % 4
    predicted = scipy.special.log_softmax(3.0 * np.eye(4)[labels], axis=-1)
    found = classification.report(labels, predicted, "abcd")
    assert found["fitted_on"] == classification.NOTHING
    assert found["temperatures"] == [1.0]
    assert found["after"]["loss"] == found["before"]["loss"]


def test_scaled_metrics_are_those_of_a_report():
    labels, predicted = sampled(2.0)
    validation = sampled(2.0, seed=1)
    report = classification.report(labels, predicted, "abcd", validation)
    assert classification.scaled_metrics(labels, predicted, validation) == {
        "temperature": report["temperatures"][0],
        "loss_scaled": report["after"]["loss"],
        "ece_scaled": report["after"]["ece"],
    }


def test_metrics_are_not_scaled_where_no_temperature_is_best(recwarn):
    """As where all validation data is right."""
    labels, predicted = sampled(2.0)
    right = np.arange(4), np.log(0.7 * np.eye(4) + 0.075)
    found = classification.scaled_metrics(labels, predicted, right)
    assert found["temperature"] == 1.0
    unscaled = metrics.compute(labels, predicted)
    assert found["loss_scaled"] == pytest.approx(unscaled["loss"])
    assert not recwarn


def test_classes_have_what_scikit_learn_finds():
    labels, predicted = sampled(1.0)
    labels[labels == 3] = 2
    found = classification.report(labels, predicted, "abcd")
    classes = found["classes"]
    assert [row["class"] for row in classes] == list("abcd")
    assert [row["examples"] for row in classes] == [
        np.sum(labels == number) for number in range(4)
    ]
    precision, recall, _, _ = sklearn.metrics.precision_recall_fscore_support(
        labels, predicted.argmax(-1), labels=range(4), zero_division=0
    )
    assert [row["precision"] for row in classes] == pytest.approx(precision)
    assert [row["recall"] for row in classes[:3]] == pytest.approx(recall[:3])
    assert classes[3]["recall"] is classes[3]["loss"] is None
    total = sum(row["loss"] * row["examples"] for row in classes[:3])
    assert total / 2000 == pytest.approx(found["before"]["loss"])
    matrix = sklearn.metrics.confusion_matrix(labels, predicted.argmax(-1))
    np.testing.assert_array_equal(found["confusion"], matrix)
