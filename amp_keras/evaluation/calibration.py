"""How far a classifier's probabilities are from the truth.

The definitions are written once, for NumPy and for `keras.ops`, whose functions
have the same names: `xp` is one of the two. The functions of arrays here and
the metrics in `calibration_metrics.py` are both made of them.
"""

import dataclasses

import keras
import numpy as np

BINNINGS = ("equal_width", "equal_mass")


@dataclasses.dataclass(frozen=True)
class Reliability:
    """A reliability diagram: confidence and accuracy, bin by bin.

    Attributes:
        edges: Float array of shape `(bins + 1,)`, from 0 to 1. A bin includes
            its upper edge.
        weights: Float array of shape `(bins,)`, the number of examples in each
            bin, or the sum of their weights.
        confidence: Float array of shape `(bins,)`, the mean confidence; NaN in
            a bin without examples.
        accuracy: Float array of shape `(bins,)`, the share of right
            predictions; NaN in a bin without examples.
    """

    edges: np.ndarray
    weights: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def expected_calibration_error(
    labels,
    probabilities,
    bins=15,
    binning="equal_width",
    from_logits=False,
    sample_weight=None,
):
    """Returns the expected calibration error (ECE).

    Examples are binned by confidence, the largest of their probabilities. The
    error is the mean over examples of the gap between the accuracy and the mean
    confidence of their bin.

    Args:
        labels: Int array of shape `(examples,)`, or one-hot of the shape of
            `probabilities`.
        probabilities: Float array of shape `(examples, classes)`. With a single
            column it is the probability of class 1 of two.
        bins: Int, the number of intervals. Defaults to `15`.
        binning: `"equal_width"` for intervals of equal width that include their
            upper end, or `"equal_mass"` for intervals that hold equally many
            examples, as far as equal confidences, which stay together, allow.
            Defaults to `"equal_width"`.
        from_logits: Bool, whether `probabilities` are logits, before a softmax
            (of a single column, a sigmoid). Defaults to `False`.
        sample_weight: Float array of shape `(examples,)`. Defaults to `None`:
            all examples weigh the same.

    Returns:
        Float between 0 and 1.

    Reference:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017,
        equation 3.
    """
    _, sums = _binned(
        labels, probabilities, bins, binning, from_logits, sample_weight
    )
    return float(calibration_error(np, *sums))


def reliability(
    labels,
    probabilities,
    bins=15,
    binning="equal_width",
    from_logits=False,
    sample_weight=None,
):
    """Returns what `expected_calibration_error` is the mean gap of.

    Args:
        labels, probabilities, bins, binning, from_logits, sample_weight: As in
            `expected_calibration_error`.

    Returns:
        A `Reliability`.
    """
    edges, (weights, confidences, corrects) = _binned(
        labels, probabilities, bins, binning, from_logits, sample_weight
    )
    filled = np.where(weights > 0, weights, np.nan)
    return Reliability(
        np.concatenate([[0.0], edges, [1.0]]),
        weights,
        confidences / filled,
        corrects / filled,
    )


def brier_score(labels, probabilities, from_logits=False, sample_weight=None):
    """Returns the Brier score.

    It is the mean over examples of the squared distance between the
    probabilities and the one-hot label, the sum over *all* classes: 0 at best,
    2 at worst. For two classes that is twice the score of one of them, which
    `sklearn.metrics.brier_score_loss` returns by default.

    Args:
        labels: Int array of shape `(examples,)`, or one-hot of the shape of
            `probabilities`.
        probabilities: Float array of shape `(examples, classes)`. With a single
            column it is the probability of class 1 of two.
        from_logits: Bool, whether `probabilities` are logits. Defaults to
            `False`.
        sample_weight: Float array of shape `(examples,)`. Defaults to `None`:
            all examples weigh the same.

    Returns:
        Float between 0 and 2.

    Reference:
        Brier, "Verification of Forecasts Expressed in Terms of Probability",
        Monthly Weather Review 78(1), 1950.
    """
    labels, probabilities = classification_arrays(labels, probabilities)
    probabilities = class_probabilities(np, probabilities, from_logits)
    distances = brier_distances(np, labels, probabilities.astype("float64"))
    weights = flat_weights(np, sample_weight, distances)
    return float(np.average(np.reshape(distances, (-1,)), weights=weights))


def class_probabilities(xp, outputs, from_logits):
    """Returns the probabilities of all classes, on the last axis."""
    if outputs.shape[-1] == 1:
        others = xp.zeros_like(outputs) if from_logits else 1.0 - outputs
        outputs = xp.concatenate([others, outputs], axis=-1)
    if not from_logits:
        return outputs
    largest = xp.max(outputs, axis=-1, keepdims=True)
    exponentials = xp.exp(outputs - largest)
    return exponentials / xp.sum(exponentials, axis=-1, keepdims=True)


def brier_distances(xp, labels, probabilities):
    """Returns the squared distance of each example's probabilities."""
    if not _one_hot(labels, probabilities):
        classes = xp.arange(probabilities.shape[-1])
        ones = xp.ones_like(probabilities)
        labels = _sparse(xp, labels, probabilities)
        labels = xp.where(
            xp.equal(xp.expand_dims(labels, -1), classes), ones, 0.0 * ones
        )
    return xp.sum(xp.square(probabilities - labels), axis=-1)


def bin_sums(xp, labels, probabilities, edges, sample_weight):
    """Returns the sums of weights, confidences and right predictions by bin.

    `edges` are those between the bins. Confidences are compared to them in
    their own dtype, in which 0.6 is not above 3 / 5.
    """
    confidence, correct = _predictions(xp, labels, probabilities)
    weights = flat_weights(xp, sample_weight, confidence)
    confidence = xp.reshape(confidence, (-1, 1))
    correct = xp.reshape(correct, (-1, 1))
    bin_of = xp.sum(xp.greater(confidence, edges), axis=-1, keepdims=True)
    in_bin = xp.equal(bin_of, xp.arange(edges.shape[0] + 1))
    weights = xp.where(in_bin, xp.expand_dims(weights, -1), 0.0)
    return (
        xp.sum(weights, axis=0),
        xp.sum(weights * confidence, axis=0),
        xp.sum(xp.where(correct, weights, 0.0), axis=0),
    )


def calibration_error(xp, weights, confidences, corrects):
    """Returns the ECE of the sums of `bin_sums`; 0 without examples."""
    total = xp.sum(weights)
    gaps = xp.sum(xp.abs(corrects - confidences))
    return gaps / xp.where(xp.equal(total, 0.0), xp.ones_like(total), total)


def flat_weights(xp, sample_weight, values):
    """Returns weights of shape `(examples,)` for values of any shape."""
    weights = xp.ones_like(values)
    if sample_weight is not None:
        while len(sample_weight.shape) < len(values.shape):
            sample_weight = xp.expand_dims(sample_weight, -1)
        if len(sample_weight.shape) > len(values.shape):
            sample_weight = xp.squeeze(sample_weight, -1)
        weights = weights * sample_weight
    return xp.reshape(weights, (-1,))


def check_bins(bins):
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
        raise ValueError(f"`bins` must be an int >= 1. Received: bins={bins!r}")


def _predictions(xp, labels, probabilities):
    """Returns confidence and rightness of each example."""
    predicted = xp.argmax(probabilities, axis=-1)
    if _one_hot(labels, probabilities):
        truth = xp.argmax(labels, axis=-1)
    else:
        truth = _sparse(xp, labels, probabilities)
    return xp.max(probabilities, axis=-1), xp.equal(predicted, truth)


def _one_hot(labels, probabilities):
    """A label for each example may have a last axis of one."""
    return (
        len(labels.shape) == len(probabilities.shape)
        and labels.shape[-1] == probabilities.shape[-1]
    )


def _sparse(xp, labels, probabilities):
    if len(labels.shape) == len(probabilities.shape):
        return xp.squeeze(labels, -1)
    return labels


def _binned(labels, probabilities, bins, binning, from_logits, sample_weight):
    check_bins(bins)
    if binning not in BINNINGS:
        raise ValueError(
            f"`binning` must be one of {BINNINGS}. "
            f"Received: binning={binning!r}"
        )
    labels, probabilities = classification_arrays(labels, probabilities)
    probabilities = class_probabilities(np, probabilities, from_logits)
    if sample_weight is not None:
        sample_weight = np.asarray(sample_weight, "float64")
    if binning == "equal_width":
        edges = equal_width_edges(bins)
    else:
        confidence = np.max(probabilities, axis=-1)
        weights = np.ones(confidence.shape)
        weights = flat_weights(np, sample_weight, weights)
        edges = _equal_mass_edges(np.reshape(confidence, (-1,)), weights, bins)
    edges = edges.astype(probabilities.dtype)
    sums = bin_sums(np, labels, probabilities, edges, sample_weight)
    return edges, [s.astype("float64") for s in sums]


def equal_width_edges(bins):
    return np.arange(1, bins) / bins


def _equal_mass_edges(confidence, weights, bins):
    """Returns the least confidences that reach each share of the weights."""
    order = np.argsort(confidence)
    reached = bins * np.cumsum(weights[order])
    shares = np.arange(1, bins) * np.sum(weights)
    return confidence[order][np.searchsorted(reached, shares)]


def classification_arrays(labels, outputs):
    """Returns both as arrays of shapes that fit each other."""
    outputs = _to_numpy(outputs)
    if not np.issubdtype(outputs.dtype, np.floating):
        outputs = outputs.astype("float64")
    if outputs.ndim < 2:
        raise ValueError(
            "Probabilities and logits must have shape `(examples, classes)`. "
            f"Received: an array of shape {outputs.shape}"
        )
    labels = _to_numpy(labels)
    if labels.shape not in (
        outputs.shape,
        outputs.shape[:-1],
        (*outputs.shape[:-1], 1),
    ):
        raise ValueError(
            "`labels` must have one entry for each example, or be one-hot. "
            f"Received: labels of shape {labels.shape} for outputs of shape "
            f"{outputs.shape}"
        )
    return labels, outputs


def _to_numpy(array):
    if keras.ops.is_tensor(array):
        return keras.ops.convert_to_numpy(array)
    return np.asarray(array)
