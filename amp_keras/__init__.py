"""Adversarial Model Perturbation (AMP) for Keras 3."""

import importlib

from amp_keras import extras

with extras.backend_named():
    from amp_keras import callbacks
    from amp_keras.amp_model import AMPModel
    from amp_keras.random_perturbation import RandomPerturbation

__version__ = "0.2.0"

__all__ = ["AMPModel", "RandomPerturbation", "callbacks"]

# Imported when they are named: they bring more than training needs.
_SUBMODULES = (
    "datasets",
    "evaluation",
    "losses",
    "models",
    "optimizers",
    "tuner",
)


def __getattr__(name):
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_SUBMODULES})
