"""The oracles: baseline first, no trial twice, and safe to resume."""

import keras_tuner
import pytest

from amp_keras import tuner
from amp_keras.tuner.oracles import combinations

EPSILONS = [0.0, 0.1, 0.2, 0.4]
BY_EPOCHS = (tuner.HyperbandOracle, tuner.HalvingOracle)


def space():
    hp = keras_tuner.HyperParameters()
    hp.Choice("epsilon", EPSILONS)
    hp.Choice(
        "inner_iters", [1, 2], parent_name="epsilon", parent_values=EPSILONS[1:]
    )
    return hp


def make(kind, directory, **arguments):
    if kind in BY_EPOCHS:
        arguments.pop("max_trials", None)
        arguments["max_epochs"] = 4
    oracle = kind(
        objective=keras_tuner.Objective("val_loss", "min"),
        hyperparameters=space(),
        seed=1,
        **arguments,
    )
    oracle.verbose = 0
    oracle._set_project_dir(directory, "search")
    return oracle


def loss(values):
    return values["epsilon"] ** 2 - 0.1 * values["epsilon"]


def run(oracle, limit=100, fail=()):
    """Runs trials until the oracle stops or there are `limit`."""
    for _ in range(limit):
        trial = oracle.create_trial("tuner0")
        if trial.status == "STOPPED":
            return
        values = trial.hyperparameters.values
        if values["epsilon"] in fail:
            trial.status = "INVALID"
        else:
            oracle.update_trial(trial.trial_id, {"val_loss": loss(values)})
            trial.status = "COMPLETED"
        oracle.end_trial(trial)


def values(oracle):
    return [t.hyperparameters.values for t in oracle.trials.values()]


KINDS = [
    tuner.RandomOracle,
    tuner.BayesianOracle,
    tuner.HyperbandOracle,
    tuner.GridOracle,
    tuner.HalvingOracle,
]


@pytest.mark.parametrize("kind", KINDS)
def test_baseline_is_first_and_no_values_come_twice(kind, tmp_path):
    oracle = make(kind, tmp_path, max_trials=7)
    run(oracle)
    first, *others = values(oracle)
    assert first["epsilon"] == 0.0 and "inner_iters" not in first
    tried = [tuple(sorted(v.items())) for v in [first, *others]]
    assert len(set(tried)) == len(tried)
    assert all(v["epsilon"] > 0 for v in others)
    if kind in BY_EPOCHS:
        assert first["tuner/epochs"] == 4
        assert len(tried) <= oracle.num_trials()
    else:
        assert len(tried) == 7


def test_grid_is_all_combinations_with_the_default_first():
    hp = keras_tuner.HyperParameters()
    hp.Choice("a", [1, 2, 3], default=2)
    hp.Choice("b", [10, 20], parent_name="a", parent_values=[1, 2])
    assert list(combinations(hp.space)) == [
        {"a": 2, "b": 10},
        {"a": 2, "b": 20},
        {"a": 1, "b": 10},
        {"a": 1, "b": 20},
        {"a": 3},
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_stopped_search_goes_on_with_the_unfinished_trial(kind, tmp_path):
    whole = make(kind, tmp_path / "whole", max_trials=6)
    run(whole)
    stopped = make(kind, tmp_path / "stopped", max_trials=6)
    run(stopped, limit=3)
    unfinished = stopped.create_trial("tuner0")
    resumed = make(kind, tmp_path / "stopped", max_trials=6)
    resumed.reload()
    first = resumed.create_trial("tuner0")
    assert first.trial_id == unfinished.trial_id
    run(resumed)
    assert values(resumed)[:4] == values(stopped)
    assert all(t.status == "COMPLETED" for t in resumed.trials.values())
    if kind is not tuner.BayesianOracle:  # Its random state is not saved.
        assert values(resumed) == values(whole)


def test_trial_that_ended_as_its_process_was_killed_is_not_repeated(tmp_path):
    oracle = make(tuner.GridOracle, tmp_path)
    run(oracle, limit=2)
    trial = oracle.create_trial("tuner0")
    oracle.update_trial(trial.trial_id, {"val_loss": 1.0})
    # Killed when the trial was written, and the oracle not yet.
    oracle.trials[trial.trial_id].status = "COMPLETED"
    oracle._save_trial(oracle.trials[trial.trial_id])
    resumed = make(tuner.GridOracle, tmp_path)
    resumed.reload()
    assert resumed.create_trial("tuner0").trial_id != trial.trial_id


@pytest.mark.parametrize("kind", [tuner.RandomOracle, tuner.GridOracle])
def test_many_failures_in_a_row_do_not_end_the_search(kind, tmp_path):
    oracle = make(kind, tmp_path, max_trials=7)
    run(oracle, fail=EPSILONS[1:])
    assert len(oracle.trials) == 7


def test_worker_that_is_started_again_takes_up_its_trial(tmp_path):
    oracle = make(tuner.GridOracle, tmp_path)
    first = oracle.create_trial("worker0")
    other = oracle.create_trial("worker1")
    assert oracle.create_trial("worker0").trial_id == first.trial_id
    assert other.trial_id != first.trial_id
