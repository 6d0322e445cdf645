"""What a search tries, and what a set of hyperparameters means for a run."""

import dataclasses

import keras_tuner
import numpy as np

from amp_keras import perturbation
from amp_keras.experiments.default_epsilon import default_epsilon
from amp_keras.experiments.optimizer import LEARNING_RATES
from amp_keras.tuner.amp_space import AMPSpace

OF_AMP = ("inner_lr", "inner_iters", "inner_fraction", "norm")
OF_OPTIMIZER = ("learning_rate", "weight_decay")
OTHERS = (*OF_AMP, *OF_OPTIMIZER)

# The run's own value is added to these, and comes first.
_VALUES = {
    "inner_lr": (0.1, 0.3, 1.0, 3.0, 10.0),
    "inner_iters": (1, 2, 3),
    "inner_fraction": (1.0, 1 / 2, 1 / 4, 1 / 8),
    "norm": perturbation.NORMS,
    "weight_decay": (1e-4, 2e-4, 5e-4, 1e-3, 2e-3),
}
# These are multiples of the default of the optimizer and of epsilon.
_LEARNING_RATES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_EPSILONS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0)
# Ten a decade, for tuners that do not try all.
_NUM_EPSILONS = 25


class SearchSpace:
    """The hyperparameters of a search.

    Args:
        options: `SearchOptions`.
        config: `TrainingConfig` of the baseline, which gives what is not
            searched.

    Attributes:
        baseline: The `config`.
    """

    def __init__(self, options, config):
        self.baseline = config
        self._stops_short = options.tuner == "halving"
        self._searched = [n for n in OF_OPTIMIZER if n in options.search]
        norms = self._candidates("norm", options)
        self._amp = AMPSpace(
            epsilon=options.epsilons or self._epsilons(options, norms),
            inner_lr=self._candidates("inner_lr", options),
            inner_iters=self._candidates("inner_iters", options),
            norm=norms,
            inner_fraction=self._candidates("inner_fraction", options),
        )

    def hyperparameters(self):
        """Returns them at their defaults, as keras-tuner has them."""
        hp = keras_tuner.HyperParameters()
        self.config(hp)
        return hp

    def config(self, hp):
        """Returns the `TrainingConfig` of a set of hyperparameters.

        Args:
            hp: `keras_tuner.HyperParameters`. What they lack is added.
        """
        epochs = self.baseline.epochs
        if not self._stops_short:
            _, epochs = self.epochs(hp)
        return dataclasses.replace(
            self.baseline,
            epochs=epochs,
            **self._amp.arguments(hp),
            **{name: self._choose(hp, name) for name in self._searched},
        )

    def epochs(self, hp):
        """Returns the epochs that a trial trains.

        Args:
            hp: `keras_tuner.HyperParameters`.

        Returns:
            A tuple: those that an earlier trial has trained, and those that
            are done at the end of this one.
        """
        done = 0
        if self._stops_short:
            done = hp.values.get("tuner/initial_epoch", 0)
        return done, hp.values.get("tuner/epochs", self.baseline.epochs)

    def _candidates(self, name, options):
        own = getattr(self.baseline, name)
        if name not in options.search:
            return [own]
        return [own, *(value for value in _VALUES[name] if value != own)]

    def _choose(self, hp, name):
        own = getattr(self.baseline, name)
        values = _VALUES.get(name) or self._learning_rates()
        return hp.Choice(name, sorted({own, *values}), default=own)

    def _learning_rates(self):
        default = LEARNING_RATES[self.baseline.optimizer]
        return _times(default, _LEARNING_RATES)

    def _epsilons(self, options, norms):
        """The values of each norm, around the default of the network."""
        run = self.baseline
        return {
            norm: _times(
                default_epsilon(run.model, norm, run.inner_fraction)[0],
                _factors(options),
            )
            for norm in norms
        }


def _factors(options):
    if options.tuner not in ("grid", "halving"):
        number = _NUM_EPSILONS
    elif options.max_trials and options.search == ("epsilon",):
        number = options.max_trials - 1
    else:
        return _EPSILONS
    return np.geomspace(_EPSILONS[0], _EPSILONS[-1], number)


def _times(default, factors):
    return [float(f"{default * factor:.2g}") for factor in factors]
