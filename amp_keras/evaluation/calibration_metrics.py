"""Metrics of calibration, for `compile(metrics=...)`."""

import keras
from keras import ops

from amp_keras.evaluation import calibration


@keras.saving.register_keras_serializable(package="amp_keras")
class ExpectedCalibrationError(keras.metrics.Metric):
    """The expected calibration error (ECE) of a classifier.

    Predictions are binned by confidence, the largest of their probabilities,
    into intervals of equal width. The error is the mean over examples of the
    gap between the accuracy and the mean confidence of their bin, over all
    examples since the last reset, not batch by batch. (Bins of equal mass need
    all predictions at once:
    `amp_keras.evaluation.expected_calibration_error`.)

    Example:

    ```python
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[ExpectedCalibrationError(from_logits=True)],
    )
    ```

    Args:
        bins: Int, the number of intervals. Defaults to `15`.
        from_logits: Bool, whether predictions are logits rather than
            probabilities. Defaults to `False`.
        name: String, the name of the metric. Defaults to
            `"expected_calibration_error"`.
        dtype: The dtype of the metric. Defaults to `None`: `floatx`.

    Labels are ints, one for each example, or one-hot. Predictions of a single
    column are those of class 1 of two.

    Reference:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017,
        equation 3.
    """

    def __init__(
        self,
        bins=15,
        from_logits=False,
        name="expected_calibration_error",
        dtype=None,
    ):
        calibration.check_bins(bins)
        super().__init__(name=name, dtype=dtype)
        self._direction = "down"
        self.bins = bins
        self.from_logits = from_logits
        self._sums = [
            self.add_variable((bins,), initializer="zeros", name=name)
            for name in ("weights", "confidences", "corrects")
        ]

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred, sample_weight = _tensors(
            y_true, y_pred, sample_weight, self.dtype
        )
        sums = calibration.bin_sums(
            ops,
            y_true,
            calibration.class_probabilities(ops, y_pred, self.from_logits),
            ops.convert_to_tensor(
                calibration.equal_width_edges(self.bins), self.dtype
            ),
            sample_weight,
        )
        for variable, value in zip(self._sums, sums):
            variable.assign_add(value)

    def result(self):
        sums = map(ops.convert_to_tensor, self._sums)
        return calibration.calibration_error(ops, *sums)

    def get_config(self):
        return {
            **super().get_config(),
            "bins": self.bins,
            "from_logits": self.from_logits,
        }


@keras.saving.register_keras_serializable(package="amp_keras")
class BrierScore(keras.metrics.Mean):
    """The Brier score of a classifier.

    It is the mean over examples of the squared distance between the
    probabilities and the one-hot label, the sum over all classes: 0 at best, 2
    at worst. Unlike the calibration error it is a proper score: it is least for
    the true probabilities.

    Example:

    ```python
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[BrierScore(from_logits=True)],
    )
    ```

    Args:
        from_logits: Bool, whether predictions are logits rather than
            probabilities. Defaults to `False`.
        name: String, the name of the metric. Defaults to `"brier_score"`.
        dtype: The dtype of the metric. Defaults to `None`: `floatx`.

    Labels are ints, one for each example, or one-hot. Predictions of a single
    column are those of class 1 of two.

    Reference:
        Brier, "Verification of Forecasts Expressed in Terms of Probability",
        Monthly Weather Review 78(1), 1950.
    """

    def __init__(self, from_logits=False, name="brier_score", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self._direction = "down"
        self.from_logits = from_logits

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred, sample_weight = _tensors(
            y_true, y_pred, sample_weight, self.dtype
        )
        distances = calibration.brier_distances(
            ops,
            y_true,
            calibration.class_probabilities(ops, y_pred, self.from_logits),
        )
        weights = calibration.flat_weights(ops, sample_weight, distances)
        super().update_state(ops.reshape(distances, (-1,)), weights)

    def get_config(self):
        return {**super().get_config(), "from_logits": self.from_logits}


def _tensors(y_true, y_pred, sample_weight, dtype):
    y_pred = ops.convert_to_tensor(y_pred, dtype)
    y_true = ops.convert_to_tensor(y_true)
    soft = len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] > 1
    y_true = ops.cast(y_true, dtype if soft else "int32")
    if sample_weight is not None:
        sample_weight = ops.convert_to_tensor(sample_weight, dtype)
    return y_true, y_pred, sample_weight
