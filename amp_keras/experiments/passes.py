"""What training costs: passes over the data."""

from amp_keras.experiments import late_start
from amp_keras.experiments import perturbed_model


def passes(config, first=0, last=None):
    """Returns the forward and backward passes of a run over its data.

    Args:
        config: A `TrainingConfig` with `epsilon` set.
        first: Int, the epoch from which on they count. Defaults to `0`.
        last: Int, the number of epochs that are done then. Defaults to
            `None`: all of the run.
    """
    last = config.epochs if last is None else last
    if config.perturbation == perturbed_model.RANDOM:
        return last - first
    if 0 in (config.epsilon, config.inner_lr, config.inner_iters):
        return last - first
    perturbed = max(0, last - max(first, late_start.first_epoch(config)))
    ascent = config.inner_iters * config.inner_fraction
    return last - first + perturbed * ascent
