"""What a search tries, and what a set of hyperparameters means for a run."""

import dataclasses

import keras_tuner
import numpy as np

from amp_keras import perturbation
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
    "learning_rate": (0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    "weight_decay": (1e-4, 2e-4, 5e-4, 1e-3, 2e-3),
}
_GRID = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_PER_VARIABLE = 0.1


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
            epsilon=options.epsilons or _epsilons(options, norms),
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
        return hp.Choice(name, sorted({own, *_VALUES[name]}), default=own)


def _epsilons(options, norms):
    """The values of each norm, or `None` for those of `AMPSpace`."""
    if options.tuner not in ("grid", "halving"):
        return None
    values = _GRID
    if options.max_trials and options.search == ("epsilon",):
        values = np.geomspace(_GRID[0], _GRID[-1], options.max_trials - 1)
    scale = {"global": 1.0, "per_variable": _PER_VARIABLE}
    return {
        norm: [float(f"{scale[norm] * value:.2g}") for value in values]
        for norm in norms
    }
