"""The epoch in which a run begins to perturb."""

import math
import warnings

from amp_keras.callbacks import EpsilonScheduler
from amp_keras.experiments.perturbed_model import ADVERSARIAL
from amp_keras.perturbation import USUAL_STEP


def first_epoch(config):
    """Returns the first epoch with a perturbation, counted from 0."""
    # 0.85 of 100 is 85.00000000000001 in floating point.
    return math.ceil(round(config.perturb_from * config.epochs, 6))


def callbacks(config):
    """Returns the callbacks that perturb late, none if the run does not."""
    first = first_epoch(config)
    if not first or not config.epsilon:
        return []
    _warn(config, first)
    return [EpsilonScheduler(lambda e: config.epsilon if e >= first else 0.0)]


def _warn(config, first):
    if first >= config.epochs:
        warnings.warn(
            "no epoch is perturbed: the perturbation would begin after the "
            f"last one. Received: --perturb_from={config.perturb_from:g}, "
            f"--epochs={config.epochs}",
            stacklevel=3,
        )
    elif config.perturbation == ADVERSARIAL and config.inner_lr <= USUAL_STEP:
        warnings.warn(
            "the gradient of a network that has fitted its data is nearly "
            "zero, and with it a perturbation that begins late; --inner_lr=1e6 "
            "makes it of size epsilon. Received: "
            f"--inner_lr={config.inner_lr:g}, "
            f"--perturb_from={config.perturb_from:g}",
            stacklevel=3,
        )
