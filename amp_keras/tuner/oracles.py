"""keras-tuner's oracles with the baseline first, and safe to resume.

The first trial of each has every hyperparameter at its default, which with
`AMPHyperModel` is plain training. No trial repeats the values of another.
"""

import json
import os

import keras_tuner

_RUNNING = "RUNNING"
_STOPPED = "STOPPED"
_UNLIMITED = 2**31


class _BaselineFirst:
    def __init__(self, *args, **kwargs):
        # Neighbouring values often diverge together; that is a result, and
        # no reason to end the search.
        kwargs.setdefault("max_consecutive_failed_trials", _UNLIMITED)
        super().__init__(*args, **kwargs)

    def populate_space(self, trial_id):
        if not self.trials:
            values = next(combinations(self.get_space().space))
            return {"status": _RUNNING, "values": self._baseline(values)}
        proposal = super().populate_space(trial_id)
        if proposal["status"] == _RUNNING and self._duplicate(
            proposal["values"]
        ):
            return self._propose_at_random()
        return proposal

    def save(self):
        path = self._get_oracle_fname()
        if _is_local(path):
            _write_whole(path, self.get_state())
        else:
            super().save()

    def _save_trial(self, trial):
        folder = self._get_trial_dir(trial.trial_id)
        if _is_local(folder):
            _write_whole(os.path.join(folder, "trial.json"), trial.get_state())
        else:
            super()._save_trial(trial)

    def reload(self):
        super().reload()
        # They are read in the order of the folder.
        self.trials = dict(sorted(self.trials.items()))
        # A process can be killed between writing a trial and writing the
        # oracle: the trials themselves say which have not finished.
        self._retry_queue = [
            trial_id
            for trial_id, trial in self.trials.items()
            if trial.status == _RUNNING
        ]
        # What they have measured already is measured again.
        for trial_id in self._retry_queue:
            trial = self.trials[trial_id]
            trial.metrics = type(trial.metrics)()

    def _baseline(self, values):
        return values

    def _propose_at_random(self):
        values = self._random_values()
        status = _STOPPED if values is None else _RUNNING
        return {"status": status, "values": values}


class RandomOracle(_BaselineFirst, keras_tuner.oracles.RandomSearchOracle):
    """Tries values at random.

    Args:
        *args, **kwargs: As for `keras_tuner.oracles.RandomSearchOracle`.
    """


class BayesianOracle(
    _BaselineFirst, keras_tuner.oracles.BayesianOptimizationOracle
):
    """Tries what a Gaussian process finds promising, after a few at random.

    Args:
        *args, **kwargs: As for
            `keras_tuner.oracles.BayesianOptimizationOracle`.
    """


class HyperbandOracle(_BaselineFirst, keras_tuner.oracles.HyperbandOracle):
    """Trains many values for a few epochs, and the best of them longer.

    The baseline is trained for all `max_epochs`.

    Args:
        *args, **kwargs: As for `keras_tuner.oracles.HyperbandOracle`.
    """

    def num_trials(self):
        """Returns the number of trials that it makes at most."""
        rounds = (
            self._get_size(bracket, number)
            for bracket in range(self._get_num_brackets())
            for number in range(self._get_num_rounds(bracket))
        )
        return 1 + self.hyperband_iterations * sum(rounds)

    def _baseline(self, values):
        return {
            **values,
            "tuner/epochs": self.max_epochs,
            "tuner/initial_epoch": 0,
        }


class GridOracle(_BaselineFirst, keras_tuner.Oracle):
    """Tries all combinations of values, in order.

    `keras_tuner.oracles.GridSearchOracle` forgets where it stood when its
    process is killed.

    Args:
        *args, **kwargs: As for `keras_tuner.Oracle`.
    """

    def populate_space(self, trial_id):
        for values in combinations(self.get_space().space):
            if not self._duplicate(values):
                return {"status": _RUNNING, "values": values}
        return {"status": _STOPPED, "values": None}


def _is_local(path):
    return "://" not in path


def _write_whole(path, state):
    """Writes JSON so that a killed process leaves the old file or the new."""
    folder, name = os.path.split(path)
    new = os.path.join(folder, f".new-{name}")
    with open(new, "w") as file:
        json.dump(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


def combinations(space):
    """All combinations of the values of hyperparameters, defaults first.

    Args:
        space: List of keras-tuner's hyperparameters; one that depends on
            another comes after it.

    Yields:
        Dicts of the values of the active hyperparameters.
    """

    def extend(values, rest):
        if not rest:
            yield values
            return
        first, *rest = rest
        if all(condition.is_active(values) for condition in first.conditions):
            others = [v for v in first.values if v != first.default]
            for value in (first.default, *others):
                yield from extend({**values, first.name: value}, rest)
        else:
            yield from extend(values, rest)

    return extend({}, list(space))
