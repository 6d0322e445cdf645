"""Metrics of a trained network."""

import keras
import numpy as np

from amp_keras import datasets
from amp_keras.errors import DivergedError
from amp_keras.experiments import metrics
from amp_keras.experiments.finite_loss import DIVERGED_ADVICE


def evaluate(network, split, batch_size):
    """Evaluates a network on a split.

    Returns:
        A dict of floats by key of `metrics.METRICS`: `accuracy`; `loss`, the
        mean negative log-likelihood; `brier`, the Brier score; `ece`, the
        expected calibration error over 15 bins.

    Raises:
        DivergedError: If the network's outputs are not finite.
    """
    return metrics.compute(split.labels, predict(network, split, batch_size))


def predict(network, split, batch_size):
    """Returns log-probabilities, a float64 array `(examples, classes)`.

    Raises:
        DivergedError: If the network's outputs are not finite.
    """
    batches = datasets.evaluation_batches(split, batch_size)
    logits = network.predict(batches, verbose=0).astype("float64")
    if not np.all(np.isfinite(logits)):
        raise DivergedError(
            f"The trained network's outputs are not finite. {DIVERGED_ADVICE}"
        )
    return np.asarray(keras.ops.log_softmax(logits))
