"""What takes the place of the settings that are not given."""

import dataclasses

from amp_keras.experiments.default_epsilon import default_epsilon
from amp_keras.experiments.optimizer import learning_rate

GIVEN = "given"


def resolved(config):
    """Returns a configuration with a number for each default.

    Args:
        config: A `TrainingConfig`. Its `epsilon` and `learning_rate` may be
            `None`.

    Returns:
        A tuple: a `TrainingConfig`, and where its epsilon comes from, a
        string.
    """
    epsilon, origin = config.epsilon, GIVEN
    if epsilon is None:
        epsilon, origin = default_epsilon(
            config.model, config.norm, config.inner_fraction
        )
    config = dataclasses.replace(
        config, epsilon=epsilon, learning_rate=learning_rate(config)
    )
    return config, origin
