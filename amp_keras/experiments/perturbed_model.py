"""The model of a run: its network with the perturbation that is asked for."""

import re

from amp_keras import AMPModel
from amp_keras import RandomPerturbation
from amp_keras.errors import AMPKerasError
from amp_keras.errors import NetworkError
from amp_keras.experiments import adaptive_epsilon

ADVERSARIAL, RANDOM = KINDS = ("adversarial", "random")

# What makes an ascent, which random noise has not, and what leaves it as it is.
NEUTRAL_ASCENT = {"inner_lr": 1.0, "inner_iters": 1, "inner_fraction": 1.0}


def build(config, network):
    """Returns the network as an `AMPModel` or a `RandomPerturbation`.

    Args:
        config: A `TrainingConfig` with `epsilon` set.
        network: A built `keras.Model`.

    Raises:
        AMPKerasError: If flags contradict each other, or `perturb` is found in
            no variable.
    """
    check(config)
    _check_perturbs_some_variable(config, network)
    is_set_later = adaptive_epsilon.is_on(config)
    shared = {
        "epsilon": 0.0 if is_set_later else config.epsilon,
        "norm": config.norm,
        "perturb": config.perturb,
        "log_perturbation": config.log_perturbation or is_set_later,
    }
    if config.perturbation == RANDOM:
        return RandomPerturbation(network, seed=config.seed, **shared)
    return AMPModel(
        network,
        inner_lr=config.inner_lr,
        inner_iters=config.inner_iters,
        inner_fraction=config.inner_fraction,
        inner_clipnorm=config.clipnorm,
        **shared,
    )


def check(config):
    """Raises an `AMPKerasError` if flags contradict each other."""
    adaptive_epsilon.check(config)
    if config.perturbation != RANDOM:
        return
    for name, neutral in NEUTRAL_ASCENT.items():
        value = getattr(config, name)
        if value != neutral:
            raise AMPKerasError(
                f"--{name} must not be given with --perturbation=random, which "
                f"has no ascent. Received: --{name}={value:g}"
            )


def _check_perturbs_some_variable(config, network):
    paths = [w.path for w in network.trainable_weights]
    if config.perturb and not any(re.search(config.perturb, p) for p in paths):
        raise NetworkError(
            "--perturb must be found in the path of a trainable variable, "
            f"such as {paths[0]}. Received: --perturb={config.perturb}"
        )
