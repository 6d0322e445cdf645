"""The choice among values of a method, from made-up validation losses."""

import pathlib

import pytest

from amp_keras.comparison import page
from amp_keras.comparison import runs as comparison_runs
from amp_keras.comparison import statistics
from amp_keras.comparison import tuning
from amp_keras.comparison.method import Method
from amp_keras.experiments.config import TrainingConfig

PLAIN = Method("erm", "plain training", {"epsilon": 0.0})
AMP = [
    Method(f"amp-epsilon-{e:g}", f"AMP, epsilon={e:g}", {"epsilon": e})
    for e in (0.5, 1.0, 2.0)
]
GCE = [
    Method(f"gce-gce-{q:g}", f"GCE, gce={q:g}", {"epsilon": 0.0, "gce": q})
    for q in (0.3, 0.7)
]
TUNED = [
    tuning.Tuned("plain training", [PLAIN]),
    tuning.Tuned("AMP", AMP),
    tuning.Tuned("GCE", GCE),
]
LOSSES = dict(zip([*AMP, *GCE], [1.9, 1.7, 1.8, 2.0, 2.1]))
ACCURACIES = dict(zip([*AMP, *GCE], [0.5, 0.6, 0.7, 0.4, 0.55]))


def trials():
    return tuning.runs(TUNED, 3, TrainingConfig(), pathlib.Path("runs"))


def found(runs, without=()):
    return {
        run: {
            "val_loss": LOSSES[run.method],
            "val_accuracy": ACCURACIES[run.method],
        }
        for run in runs
        if run.method not in without
    }


def test_all_values_are_tried_with_one_seed():
    runs = trials()
    assert [run.method for run in runs] == [*AMP, *GCE]
    assert {run.config.seed for run in runs} == {3}
    assert runs[0].path == pathlib.Path("runs/amp-epsilon-0.5-seed3")


def test_lowest_validation_loss_is_chosen():
    choices = tuning.choose(TUNED, found(trials()), "val_loss")
    assert [choice.method for choice in choices] == [PLAIN, AMP[1], GCE[0]]
    losses = [values["val_loss"] for values in choices[1].values.values()]
    assert losses == [1.9, 1.7, 1.8]


def test_highest_validation_accuracy_is_chosen():
    choices = tuning.choose(TUNED, found(trials()), "val_accuracy")
    assert [choice.method for choice in choices] == [PLAIN, AMP[2], GCE[1]]


def test_of_equal_accuracies_the_lower_loss_is_chosen():
    metrics = found(trials())
    for of_run in metrics.values():
        of_run["val_accuracy"] = 0.5
    choices = tuning.choose(TUNED, metrics, "val_accuracy")
    assert [choice.method for choice in choices] == [PLAIN, AMP[1], GCE[0]]


def test_nothing_is_chosen_while_a_value_may_still_finish():
    """A value that diverged has ended, and is none to choose."""
    runs = trials()
    best = AMP[1]
    choices = tuning.choose(TUNED, found(runs, [best]), "val_loss")
    assert [choice.method for choice in choices] == [PLAIN, None, GCE[0]]
    diverged = [run for run in runs if run.method is best]
    choices = tuning.choose(TUNED, found(runs, [best]), "val_loss", diverged)
    assert choices[1].method is AMP[2]
    assert choices[1].values[best] == {}


def test_nothing_is_chosen_if_all_diverge():
    choices = tuning.choose(TUNED, {}, "val_loss", diverged=trials())
    assert [choice.method for choice in choices] == [PLAIN, None, None]


def rows_of(tuned):
    """Returns the rows of what was tried, and those of the comparison."""
    runs = tuning.runs(tuned, 0, TrainingConfig(), pathlib.Path("runs"))
    choices = tuning.choose(tuned, found(runs), "val_loss")
    runs = comparison_runs.paired(
        [c.method for c in choices], [0], TrainingConfig(), pathlib.Path("runs")
    )
    metrics = {run: {"test_error": 0.1, "seconds": 1.0} for run in runs}
    rows = statistics.by_method(
        runs,
        metrics,
        ["test_error"],
        {choice.method: choice.tuned.trials for choice in choices},
    )
    return tuning.rows(choices), rows


def test_page_has_the_values_and_how_many_each_method_had():
    tried, rows = rows_of(TUNED)
    head, _, plain, amp, gce = page.table(rows, ["test_error"]).splitlines()
    assert head.startswith("| method | seeds | tuning runs | passes |")
    assert plain.startswith("| plain training | 1 | 0 | 1.00 |")
    assert amp.startswith("| AMP, epsilon=1 | 1 | 3 | 2.00 |")
    text = page.tuning_part(tried, rows, 0, "val_loss")
    assert "| AMP, epsilon=0.5 | 1.9 | 0.5 |  |" in text
    assert "| AMP, epsilon=1 | 1.7 | 0.6 | yes |" in text
    assert "**The budgets are unequal**" in text and ": AMP 3; GCE 2." in text
    assert "Nothing was chosen for: plain training." in text


def test_page_says_that_budgets_are_equal():
    text = page.tuning_part(
        *rows_of([tuning.Tuned("AMP", AMP[:2]), tuning.Tuned("GCE", GCE)]),
        0,
        "val_accuracy",
    )
    assert "Each of these methods had 2 values." in text
    assert "the one of the highest accuracy" in text
    assert "Nothing was chosen" not in text


@pytest.mark.parametrize("tuned", [[TUNED[0]], [tuning.Tuned("AMP", AMP[:1])]])
def test_page_of_one_value_each_has_no_such_part(tuned):
    tried, rows = rows_of(tuned)
    assert page.tuning_part(tried, rows, 0, "val_loss") == ""
    assert "tuning" not in page.table(rows, ["test_error"])
