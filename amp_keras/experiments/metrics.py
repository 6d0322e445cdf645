"""The metrics of a trained network: a new one is added here, nowhere else."""

import dataclasses
from collections.abc import Callable

import numpy as np

from amp_keras import evaluation


@dataclasses.dataclass(frozen=True)
class Metric:
    """A number that says what predictions are worth.

    Attributes:
        key: String, its name in files: `test_KEY` and `val_KEY` in
            `metrics.json`.
        heading: String, its name in tables and lines.
        title: String, its name in full, on the page about a run.
        function: Function of int labels `(examples,)` and float
            log-probabilities `(examples, classes)` that returns a float.
        format: String, how its value is printed. Defaults to `".4f"`.
        binned: Bool, whether the function takes a third argument, the number
            of bins. Defaults to `False`.
    """

    key: str
    heading: str
    title: str
    function: Callable
    format: str = ".4f"
    binned: bool = False

    def text(self, values, split):
        """Returns the value on a split as it is printed.

        Args:
            values: Dict, what `metrics.json` has. Runs of versions that did
                not know the metric have no value, which is a dash.
            split: String, `"test"` or `"val"`.
        """
        value = values.get(f"{split}_{self.key}")
        return "-" if value is None else f"{value:{self.format}}"


def compute(labels, log_probabilities, metrics=None, bins=15):
    """Returns the values of metrics, a dict by key.

    Args:
        labels: Int array of shape `(examples,)`.
        log_probabilities: Float array of shape `(examples, classes)`.
        metrics: List of `Metric`. Defaults to `None`: `METRICS`.
        bins: Int, the bins of calibration errors. Defaults to `15`.
    """
    return {
        metric.key: float(
            metric.function(
                labels, log_probabilities, *([bins] if metric.binned else [])
            )
        )
        for metric in (METRICS if metrics is None else metrics)
    }


def line(values, split):
    """Returns the metrics of a split in a line, as the commands print them.

    Args:
        values: Dict, what `metrics.json` has.
        split: String, `"test"` or `"val"`.
    """
    return ", ".join(
        f"{split} {metric.heading} {metric.text(values, split)}"
        for metric in METRICS
    )


def of_evaluation():
    """Returns the metrics of `apps/evaluate.py`: a run's, and some more."""
    return (*METRICS, *FURTHER_METRICS)


def _accuracy(labels, log_probabilities):
    return np.mean(log_probabilities.argmax(-1) == labels)


def _loss(labels, log_probabilities):
    return -np.mean(log_probabilities[np.arange(len(labels)), labels])


def _brier(labels, log_probabilities):
    return evaluation.brier_score(labels, np.exp(log_probabilities))


def _ece(labels, log_probabilities, bins):
    return evaluation.expected_calibration_error(
        labels, np.exp(log_probabilities), bins
    )


def _ece_equal_mass(labels, log_probabilities, bins):
    return evaluation.expected_calibration_error(
        labels, np.exp(log_probabilities), bins, "equal_mass"
    )


# In `metrics.json`, on the page about a run, in the table of runs, in the final
# runs of a search, in an evaluation, and in what the commands print.
METRICS = (
    Metric("accuracy", "accuracy", "accuracy", _accuracy),
    Metric("loss", "loss", "loss (mean negative log-likelihood)", _loss),
    Metric("brier", "Brier", "Brier score", _brier),
    Metric("ece", "ECE", "expected calibration error", _ece, binned=True),
)
# The keys of those that a run with validation data has at a temperature, too.
SCALED = ("loss", "ece")
# In an evaluation only.
FURTHER_METRICS = (
    Metric(
        "ece_equal_mass",
        "ECE, equal mass",
        "expected calibration error, bins of equal mass",
        _ece_equal_mass,
        binned=True,
    ),
)
