"""What the predictions of a classifier are worth, before and after scaling."""

import dataclasses
import warnings

import numpy as np
from sklearn import metrics as sklearn_metrics

from amp_keras import evaluation
from amp_keras.experiments import metrics

VALIDATION = "validation data"
TEST = "test data"
HALVES = "the other half of the test data"
NOTHING = "nothing, for no temperature has the highest likelihood"


def report(labels, log_probabilities, class_names, validation=None, bins=15):
    """Returns all that tables and plots show, as JSON has it.

    Args:
        labels: Int array of shape `(examples,)`.
        log_probabilities: Float array of shape `(examples, classes)`.
        class_names: Strings.
        validation: Tuple of labels and log-probabilities to fit the temperature
            on. Defaults to `None`: each half of the examples is scaled by the
            temperature of the other.
        bins: Int. Defaults to `15`.
    """
    scaled, temperatures, fitted_on = scale(
        labels, log_probabilities, validation
    )
    result = {
        "examples": len(labels),
        "temperatures": temperatures,
        "fitted_on": fitted_on,
        "class_names": list(class_names),
        "confusion": sklearn_metrics.confusion_matrix(
            labels,
            log_probabilities.argmax(-1),
            labels=np.arange(len(class_names)),
        ).tolist(),
        "classes": _of_classes(labels, log_probabilities, scaled, class_names),
    }
    for key, values in (("before", log_probabilities), ("after", scaled)):
        diagram = evaluation.reliability(labels, np.exp(values), bins)
        result[key] = {
            **metrics.compute(labels, values, metrics.of_evaluation(), bins),
            "reliability": dataclasses.asdict(diagram),
        }
    return result


def scaled_metrics(labels, log_probabilities, validation):
    """Returns metrics at the temperature that fits validation data best.

    Args:
        labels: Int array of shape `(examples,)`.
        log_probabilities: Float array of shape `(examples, classes)`.
        validation: Tuple of labels and log-probabilities to fit it on.

    Returns:
        Dict of `temperature`, 1 if none is best, and `KEY_scaled` for each key
        of `metrics.SCALED`.
    """
    scaled, (temperature,), _ = scale(labels, log_probabilities, validation)
    values = metrics.compute(
        labels,
        scaled,
        [metric for metric in metrics.METRICS if metric.key in metrics.SCALED],
    )
    return {
        "temperature": temperature,
        **{f"{key}_scaled": value for key, value in values.items()},
    }


def scale(labels, log_probabilities, validation=None):
    """Returns log-probabilities at a temperature, and how it was fitted.

    Args:
        labels, log_probabilities, validation: As in `report`.

    Returns:
        A tuple: the log-probabilities, the list of one or two temperatures, and
        a string that says what they were fitted on.
    """
    if validation is not None:
        temperature, fitted_on = fit(*validation, VALIDATION)
        scaled = normalized(log_probabilities / temperature)
        return scaled, [temperature], fitted_on
    with warnings.catch_warnings(record=True) as at_limit:
        warnings.simplefilter("always")
        scaled, temperatures = evaluation.cross_fit_temperature(
            log_probabilities, labels
        )
    if at_limit:
        return log_probabilities, [1.0], NOTHING
    return normalized(scaled), list(temperatures), HALVES


def fit(labels, log_probabilities, name):
    """Returns a temperature, 1 if there is none that is best, and its origin.

    Args:
        labels: Int array of shape `(examples,)`.
        log_probabilities: Float array of shape `(examples, classes)`.
        name: String, what the examples are called.
    """
    with warnings.catch_warnings(record=True) as at_limit:
        warnings.simplefilter("always")
        temperature = evaluation.fit_temperature(log_probabilities, labels)
    return (1.0, NOTHING) if at_limit else (temperature, name)


def normalized(logits):
    """Returns log-probabilities of logits."""
    logits = logits - np.max(logits, axis=-1, keepdims=True)
    return logits - np.log(np.sum(np.exp(logits), axis=-1, keepdims=True))


def _of_classes(labels, before, after, class_names):
    predicted = before.argmax(-1)
    rows = []
    for number, name in enumerate(class_names):
        own = labels == number
        taken = predicted == number
        row = {"class": name, "examples": int(np.sum(own))}
        row["recall"] = _share(taken[own])
        row["precision"] = _share(own[taken])
        for suffix, values in (("", before), ("_scaled", after)):
            of_class = {}
            if np.any(own):
                of_class = metrics.compute(
                    labels[own], values[own], metrics.of_evaluation()
                )
            for key in ("loss", "brier"):
                row[f"{key}{suffix}"] = of_class.get(key)
        rows.append(row)
    return rows


def _share(flags):
    return float(np.mean(flags)) if len(flags) else None
