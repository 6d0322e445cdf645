"""keras-tuner's oracles with the baseline first, and safe to resume.

The first trial of each has every hyperparameter at its default, which with
`AMPHyperModel` is plain training. No trial repeats the values of another.
"""

import json
import math
import os

import keras_tuner

_RUNNING = "RUNNING"
_IDLE = "IDLE"
_STOPPED = "STOPPED"
_COMPLETED = "COMPLETED"
_ENDED = (_COMPLETED, "FAILED")
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


class HalvingOracle(_BaselineFirst, keras_tuner.Oracle):
    """Trains all combinations of values in part, and the best to the end.

    All are trained for a quarter of the epochs, the better half of them,
    rounded up, to a half, and the better half of those to the end. The
    baseline is trained to the end at once and takes no place of others; the
    choice is among what reaches the end. A trial that failed does not go on.
    What goes on is decided when all trials before have ended, so that any
    number of workers, and a search that was stopped, choose the same.

    It sets what `keras_tuner.oracles.HyperbandOracle` sets, and the tuner or
    the `fit()` of the hypermodel must heed it:

    - `"tuner/epochs"`: Int, the epochs that are done when the trial ends.
    - `"tuner/initial_epoch"`: Int, the epochs that the trial before it did.
    - `"tuner/trial_id"`: String, that trial, if there is one.

    A schedule must be that of all `max_epochs` in each trial, so that one that
    goes on, be it from its beginning, does what the trial before it did.

    Examples:

    ```python
    class MyHyperModel(keras_tuner.HyperModel):
        def build(self, hp):
            return build_model()

        def fit(self, hp, model, *args, **kwargs):
            # From the beginning: right, and slower than from a checkpoint.
            kwargs["epochs"] = hp.values["tuner/epochs"]
            return model.fit(*args, **kwargs)

    tuner = keras_tuner.Tuner(
        oracle=amp_keras.tuner.HalvingOracle("val_loss", max_epochs=40),
        hypermodel=amp_keras.tuner.AMPHyperModel(MyHyperModel()),
    )
    ```

    Args:
        objective: As for `keras_tuner.Oracle`.
        max_epochs: Int >= 1, the epochs of full length. Defaults to `100`.
        **kwargs: As for `keras_tuner.Oracle`.

    Attributes:
        rungs: List of ints, the epochs after which trials are compared.

    Raises:
        ValueError: If `max_epochs` is less than 1.
    """

    def __init__(self, objective=None, max_epochs=100, **kwargs):
        super().__init__(objective, **kwargs)
        if max_epochs < 1:
            raise ValueError(
                "`max_epochs` must be an int >= 1. "
                f"Received: max_epochs={max_epochs}"
            )
        self.max_epochs = max_epochs
        # Few epochs have fewer rungs.
        parts = (max_epochs / 4, max_epochs / 2, max_epochs)
        self.rungs = sorted({math.ceil(part) for part in parts})

    def num_trials(self):
        """Returns the number of trials that it makes at most."""
        size = sum(1 for _ in combinations(self.get_space().space)) - 1
        total = 1
        for _ in self.rungs:
            total += size
            size = _better_half(size)
        return total

    def populate_space(self, trial_id):
        tried = [t.hyperparameters.values for t in self.trials.values()]
        for rung in range(len(self.rungs)):
            for values in self._values_of(rung):
                if values not in tried:
                    return {"status": _RUNNING, "values": values}
            if any(t.status not in _ENDED for t in self._trials_of(rung)):
                return {"status": _IDLE, "values": None}
        return {"status": _STOPPED, "values": None}

    def _trials_of(self, rung):
        return [
            trial
            for trial in self.trials.values()
            if trial.hyperparameters.values["tuner/epochs"] == self.rungs[rung]
        ]

    def _values_of(self, rung):
        """Returns those that are to be trained; all before have ended."""
        if rung == 0:
            return self._first_values()
        goes_on = {
            "tuner/epochs": self.rungs[rung],
            "tuner/initial_epoch": self.rungs[rung - 1],
        }
        return [
            {
                **trial.hyperparameters.values,
                **goes_on,
                "tuner/trial_id": trial.trial_id,
            }
            for trial in self._best(self._trials_of(rung - 1))
        ]

    def _first_values(self):
        baseline, *others = combinations(self.get_space().space)
        begins = {"tuner/initial_epoch": 0}
        return [
            {**baseline, "tuner/epochs": self.max_epochs, **begins},
            *({**v, "tuner/epochs": self.rungs[0], **begins} for v in others),
        ]

    def _best(self, trials):
        """Returns the better half; one that failed is among the others."""
        completed = [t for t in trials if t.status == _COMPLETED]
        ranked = sorted(
            completed,
            key=lambda trial: trial.score,
            reverse=self.objective.direction == "max",
        )
        return ranked[: _better_half(len(trials))]


def _better_half(size):
    return math.ceil(size / 2)


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
