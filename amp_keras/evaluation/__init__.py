"""Metrics of a trained network; they know nothing of its training."""

from amp_keras.evaluation.calibration import Reliability
from amp_keras.evaluation.calibration import brier_score
from amp_keras.evaluation.calibration import expected_calibration_error
from amp_keras.evaluation.calibration import reliability
from amp_keras.evaluation.calibration_metrics import BrierScore
from amp_keras.evaluation.calibration_metrics import ExpectedCalibrationError
from amp_keras.evaluation.curvature import Eigenvalues
from amp_keras.evaluation.curvature import Trace
from amp_keras.evaluation.curvature import eigenvalues
from amp_keras.evaluation.curvature import trace
from amp_keras.evaluation.landscape import RadialLosses
from amp_keras.evaluation.landscape import Slices
from amp_keras.evaluation.landscape import loss_against_radius
from amp_keras.evaluation.landscape import loss_slices
from amp_keras.evaluation.loss_surface import Losses
from amp_keras.evaluation.loss_surface import LossSurface
from amp_keras.evaluation.temperature import cross_fit_temperature
from amp_keras.evaluation.temperature import fit_temperature
from amp_keras.evaluation.temperature import with_temperature

__all__ = [
    "BrierScore",
    "Eigenvalues",
    "ExpectedCalibrationError",
    "LossSurface",
    "Losses",
    "RadialLosses",
    "Reliability",
    "Slices",
    "Trace",
    "brier_score",
    "cross_fit_temperature",
    "eigenvalues",
    "expected_calibration_error",
    "fit_temperature",
    "loss_against_radius",
    "loss_slices",
    "reliability",
    "trace",
    "with_temperature",
]
