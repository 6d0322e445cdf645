"""Methods of which a flag has several values, one to be chosen.

All values are trained with the first seed, and the one that is best on the
validation data, at the epoch that counts, is taken for all seeds. What it is
measured by is the same for all methods, whatever they minimize.
"""

import dataclasses

from amp_keras.comparison import runs as comparison_runs
from amp_keras.comparison.method import Method

# The validation metrics to choose by: that of a run is the cross-entropy.
OBJECTIVES = ("val_loss", "val_accuracy")


@dataclasses.dataclass(frozen=True, eq=False)
class Tuned:
    """A method and the values that are to be tried of it.

    Attributes:
        title: String, what the method is called whatever its values are.
        candidates: List of `Method`s, one if there is nothing to choose.
    """

    title: str
    candidates: list

    @property
    def trials(self):
        """The number of validation runs that choose, 0 if nothing is chosen."""
        return len(self.candidates) if len(self.candidates) > 1 else 0


@dataclasses.dataclass(frozen=True, eq=False)
class Choice:
    """What became of the values of a method.

    Attributes:
        tuned: The `Tuned`.
        values: Dict by `Method` of dicts of the candidates' `OBJECTIVES`,
            empty for those without any.
        method: The chosen `Method`, or `None` if there is none as yet.
    """

    tuned: Tuned
    values: dict
    method: Method | None


def runs(tuned, seed, shared, folder):
    """Returns the `Run`s that choose, those of the candidates with a seed.

    Args:
        tuned: List of `Tuned`.
        seed: Int, the first one of the comparison.
        shared, folder: As in `runs.paired`.
    """
    candidates = [
        method for each in tuned if each.trials for method in each.candidates
    ]
    return comparison_runs.paired(candidates, [seed], shared, folder)


def rows(choices):
    """Returns a row for each value that was tried, a list of dicts.

    They have `tuned`, the title of the method; `method` and `title`, those of
    the candidate; its `OBJECTIVES`, `None` if it has none; and `chosen`.
    """
    return [
        {
            "tuned": choice.tuned.title,
            "method": method.name,
            "title": method.title,
            **{name: values.get(name) for name in OBJECTIVES},
            "chosen": method is choice.method,
        }
        for choice in choices
        for method, values in choice.values.items()
    ]


def choose(tuned, found, objective, diverged=()):
    """Returns the `Choice` of each method.

    Nothing is chosen as long as a candidate may still finish.

    Args:
        tuned: List of `Tuned`.
        found: Dict of the metrics of the runs that have finished, by `Run`.
        objective: String, one of `OBJECTIVES`.
        diverged: `Run`s that have no metrics and get none.
    """
    values = {
        run.method: {name: metrics[name] for name in OBJECTIVES}
        for run, metrics in found.items()
    }
    ended = {*values, *(run.method for run in diverged)}
    return [_choice(each, values, objective, ended) for each in tuned]


def _choice(tuned, values, objective, ended):
    if not tuned.trials:
        return Choice(tuned, {}, tuned.candidates[0])
    finished = [method for method in tuned.candidates if method in values]
    chosen = None
    if finished and ended.issuperset(tuned.candidates):
        chosen = min(finished, key=lambda m: _badness(values[m], objective))
    own = {method: values.get(method, {}) for method in tuned.candidates}
    return Choice(tuned, own, chosen)


def _badness(values, objective):
    """Accuracies on few examples are often equal: then the loss decides."""
    if objective == "val_accuracy":
        return -values["val_accuracy"], values["val_loss"]
    return values["val_loss"]
