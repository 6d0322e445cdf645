"""Measures of a trained classifier; they know nothing of its training."""

from amp_keras.evaluation.calibration import expected_calibration_error

__all__ = ["expected_calibration_error"]
