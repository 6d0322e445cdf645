"""Adversarial Model Perturbation (AMP) for Keras 3."""

from amp_keras import callbacks
from amp_keras.amp_model import AMPModel

__version__ = "0.1.0"

__all__ = ["AMPModel", "callbacks"]
