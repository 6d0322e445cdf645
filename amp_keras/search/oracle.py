"""The oracle of a search: what chooses the next trial."""

import sys

import keras_tuner

from amp_keras import tuner
from amp_keras.errors import AMPKerasError
from amp_keras.experiments import late_start
from amp_keras.tuner.oracles import combinations

_DIRECTIONS = {"val_loss": "min", "val_accuracy": "max"}


class _Reporting:
    """Tells a `SearchProgress` of each trial, wherever it runs."""

    progress = None

    def create_trial(self, tuner_id):
        trial = super().create_trial(tuner_id)
        if trial.status == "RUNNING":
            self.progress.begin(self, trial)
        return trial

    def end_trial(self, trial):
        super().end_trial(trial)
        self.progress.end(self, self.trials[trial.trial_id])


class _Random(_Reporting, tuner.RandomOracle):
    pass


class _Bayesian(_Reporting, tuner.BayesianOracle):
    pass


class _Hyperband(_Reporting, tuner.HyperbandOracle):
    pass


class _Grid(_Reporting, tuner.GridOracle):
    pass


class _Halving(_Reporting, tuner.HalvingOracle):
    pass


_ORACLES = {
    "random": _Random,
    "bayesian": _Bayesian,
    "hyperband": _Hyperband,
    "grid": _Grid,
    "halving": _Halving,
}


def create(options, space, progress):
    """Returns the oracle that the options ask for.

    Args:
        options: `SearchOptions`.
        space: The `SearchSpace`.
        progress: `SearchProgress`.

    Raises:
        AMPKerasError: If the trials would be compared before they differ.
    """
    objective = keras_tuner.Objective(
        options.objective, _DIRECTIONS[options.objective]
    )
    # keras-tuner takes a seed of 0 for none.
    arguments = {
        "objective": objective,
        "hyperparameters": space.hyperparameters(),
        "seed": space.baseline.seed + 1,
    }
    if options.tuner in ("hyperband", "halving"):
        arguments["max_epochs"] = space.baseline.epochs
    else:
        arguments["max_trials"] = options.max_trials
    oracle = _ORACLES[options.tuner](**arguments)
    if options.tuner == "halving":
        _check_perturbs_early(space.baseline, oracle.rungs[0])
    oracle.progress = progress
    oracle.verbose = 0  # Of keras-tuner's own display.
    return oracle


def _check_perturbs_early(config, epochs):
    if late_start.first_epoch(config) >= epochs:
        raise AMPKerasError(
            f"--tuner=halving compares after {epochs} of {config.epochs} "
            "epochs, where --perturb_from must have begun to perturb; or take "
            f"--tuner=grid. Received: --perturb_from={config.perturb_from:g}"
        )


def num_trials(oracle):
    """Returns how many trials an oracle makes.

    Raises:
        AMPKerasError: If the trials allowed do not cover the grid.
    """
    if isinstance(oracle, _Hyperband | _Halving):
        return oracle.num_trials()
    if not isinstance(oracle, _Grid):
        return oracle.max_trials
    size = sum(1 for _ in combinations(oracle.get_space().space))
    if size > (oracle.max_trials or sys.maxsize):
        raise AMPKerasError(
            f"--max_trials must be at least {size}, the size of the grid; or "
            "take --tuner=random or fewer --epsilons. "
            f"Received: --max_trials={oracle.max_trials}"
        )
    return size
