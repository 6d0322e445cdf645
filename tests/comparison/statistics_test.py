"""What runs of made-up metrics say, worked by hand."""

import pathlib

import numpy as np
import pytest

from amp_keras.comparison import page
from amp_keras.comparison import runs as comparison_runs
from amp_keras.comparison import statistics
from amp_keras.comparison.method import Method
from amp_keras.experiments.config import TrainingConfig

PLAIN = Method("erm", "plain training", {"epsilon": 0.0})
AMP = Method("amp", "AMP", {"epsilon": 0.5, "inner_iters": 2})
ERRORS = {"erm": [0.30, 0.20, 0.10], "amp": [0.10, 0.08, 0.12]}


def made(seeds=3):
    """Returns runs of both methods and their metrics."""
    runs = comparison_runs.paired(
        [PLAIN, AMP], range(seeds), TrainingConfig(), pathlib.Path("runs")
    )
    return runs, {
        run: {
            "test_error": ERRORS[run.method.name][run.config.seed],
            "seconds": 10.0 if run.method is PLAIN else 25.0,
        }
        for run in runs
    }


def differences(predictions=lambda run: None, seeds=3):
    return statistics.differences(*made(seeds), ["test_error"], predictions)


def test_means_and_standard_deviations():
    plain, amp = statistics.by_method(*made(), ["test_error"])
    assert plain["test_error"] == pytest.approx(0.2)
    assert plain["test_error_std"] == pytest.approx(0.1)
    assert (plain["passes"], amp["passes"]) == (1.0, 3.0)
    assert (amp["seeds"], amp["seconds"]) == (3, 25.0)


def test_each_run_has_a_row():
    rows = statistics.by_run(made()[1], ["test_error"])
    values = [(r["method"], r["seed"], r["test_error"]) for r in rows]
    assert values == [
        (method, seed, ERRORS[method][seed])
        for seed in range(3)
        for method in ("erm", "amp")
    ]
    assert [row["seconds"] for row in rows[:2]] == [10.0, 25.0]


def test_one_seed_has_no_deviation_and_no_interval():
    plain, _ = statistics.by_method(*made(1), ["test_error"])
    assert plain["test_error_std"] is None
    (row,) = differences(seeds=1)
    assert (row["low"], row["high"]) == (None, None)
    assert row["difference"] == pytest.approx(-0.2)


def test_interval_of_paired_differences():
    """They are -0.2, -0.12 and 0.02: mean -0.1, deviation 0.11136.

    Student's t of 2 degrees of freedom is 4.30265 at 97.5 %.
    """
    (row,) = differences()
    reach = 4.30265 * 0.111355 / np.sqrt(3)
    assert row["difference"] == pytest.approx(-0.1)
    assert row["low"] == pytest.approx(-0.1 - reach, rel=1e-4)
    assert row["high"] == pytest.approx(-0.1 + reach, rel=1e-4)
    assert (row["agree"], row["seeds"]) == (2, 3)
    assert row["test_low"] is None


def test_a_seed_that_one_method_lacks_is_no_pair():
    runs, found = made()
    del found[runs[0]]
    (row,) = statistics.differences(
        runs, found, ["test_error"], lambda run: None
    )
    assert row["seeds"] == 2
    assert row["difference"] == pytest.approx((-0.12 + 0.02) / 2)


def test_bootstrap_over_examples_is_paired():
    """Errors of the two are equal on all examples but 100 of 400.

    The mean over a resample is that of 400 draws of a coin of 1/4, of standard
    deviation sqrt(3) / 80, so that 1.96 of them are 0.0424.
    """
    wrong = np.arange(400) % 4 == 0

    def predictions(run):
        value = 1.0 if run.method is PLAIN else 1.0 - wrong
        return {"test_error": np.broadcast_to(value, 400)}

    (row,) = differences(predictions)
    assert row["test_low"] == pytest.approx(-0.25 - 0.0424, abs=0.006)
    assert row["test_high"] == pytest.approx(-0.25 + 0.0424, abs=0.006)


def test_test_sets_of_other_sizes_are_not_resampled():
    def predictions(run):
        return {"test_error": np.zeros(4 if run.config.seed else 5)}

    (row,) = differences(predictions)
    assert row["test_low"] is None


def test_tables_have_units():
    rows = statistics.by_method(*made(), ["test_error"])
    assert page.table(rows, ["test_error"]).splitlines()[2] == (
        "| plain training | 3 | 1.00 | 10 | 20.0 ± 10.0 |"
    )
    assert page.summary(rows) == (
        "test error: plain training 20.0 ± 10.0 %; AMP 10.0 ± 2.0 %"
    )
    assert page.difference_table(differences()).splitlines()[2] == (
        "| AMP | test error % | -10.0 | -37.7 to +17.7 | 2 of 3 | - |"
    )
