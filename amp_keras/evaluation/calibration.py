"""How far a classifier's confidence is from its accuracy."""

import numpy as np


def expected_calibration_error(labels, probabilities, bins=15):
    """Returns the expected calibration error (ECE).

    Examples are binned by confidence, the largest of their probabilities, into
    `bins` intervals of equal width that include their upper end. The error is
    the mean over examples of the gap between the accuracy and the mean
    confidence of their bin.

    Args:
        labels: Int array of shape `(examples,)`.
        probabilities: Float array of shape `(examples, classes)`.
        bins: Int, the number of intervals. Defaults to `15`.

    Returns:
        Float between 0 and 1.

    Reference:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017,
        equation 3.
    """
    confidence = np.max(probabilities, axis=-1)
    correct = np.argmax(probabilities, axis=-1) == labels
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(bin_of, weights=correct - confidence, minlength=bins)
    return float(np.sum(np.abs(gaps)) / len(labels))
