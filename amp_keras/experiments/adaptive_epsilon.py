"""A radius that is set during a run, by its validation loss."""

from amp_keras.callbacks import AdaptiveEpsilon
from amp_keras.errors import AMPKerasError


def is_on(config):
    """Returns whether the radius of a run is set: with 0 it stays 0."""
    return config.adapt_epsilon and config.epsilon != 0


def callbacks(config):
    """Returns the callbacks that set the radius, none if it is fixed."""
    if not is_on(config):
        return []
    return [AdaptiveEpsilon(initial=config.epsilon, epochs=config.epochs)]


def check(config):
    """Raises an `AMPKerasError` if other flags leave nothing to set it by."""
    if not is_on(config):
        return
    if not config.validation_split:
        raise AMPKerasError(
            "--adapt_epsilon sets the radius by the validation loss: give "
            "--validation_split, 0.1 say. Received: --validation_split=0"
        )
    for name, expected in (
        ("perturbation", "adversarial"),
        ("perturb_from", 0.0),
    ):
        value = getattr(config, name)
        if value != expected:
            raise AMPKerasError(
                f"--{name} must be {expected} with --adapt_epsilon. "
                f"Received: --{name}={value}"
            )
    low, high = AdaptiveEpsilon.LIMITS
    if not low <= config.epsilon <= high:
        raise AMPKerasError(
            f"--epsilon must be between {low:g} and {high:g} with "
            "--adapt_epsilon, which begins with it. "
            f"Received: --epsilon={config.epsilon:g}"
        )
