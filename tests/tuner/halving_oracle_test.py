"""The better half goes on, whoever trains it and wherever it was stopped."""

import keras
import keras_tuner
import numpy as np
import pytest

from amp_keras import tuner

EPSILONS = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
# After 2 of 8 epochs, after 4, and in the end.
LOSSES = {
    0.1: [0.9, 0.1, 0.1],
    0.2: [0.8, 0.9, 0.1],
    0.3: [0.3, 0.5, 0.6],
    0.4: [0.2, 0.6, 0.5],
    0.5: [0.4, 0.7, 0.1],
}
# Epsilon, the epochs done before and in the end, and the trial before.
TRIALS = [
    (0.0, 0, 8, None),
    (0.1, 0, 2, None),
    (0.2, 0, 2, None),
    (0.3, 0, 2, None),
    (0.4, 0, 2, None),
    (0.5, 0, 2, None),
    (0.4, 2, 4, "0004"),
    (0.3, 2, 4, "0003"),
    (0.5, 2, 4, "0005"),
    (0.3, 4, 8, "0007"),
    (0.4, 4, 8, "0006"),
]


def make(directory, direction="min", max_epochs=8):
    hp = keras_tuner.HyperParameters()
    hp.Choice("epsilon", EPSILONS)
    oracle = tuner.HalvingOracle(
        keras_tuner.Objective("val_loss", direction),
        max_epochs=max_epochs,
        hyperparameters=hp,
    )
    oracle.verbose = 0
    oracle._set_project_dir(directory, "search")
    return oracle


def loss(trial, sign):
    values = trial.hyperparameters.values
    if values["epsilon"] == 0:
        return 0.0
    rung = {2: 0, 4: 1, 8: 2}[values["tuner/epochs"]]
    return sign * LOSSES[values["epsilon"]][rung]


def end(oracle, trial, failed=(), sign=1):
    epochs = trial.hyperparameters.values["tuner/epochs"]
    if (trial.hyperparameters["epsilon"], epochs) in failed:
        trial.status = "INVALID"
    else:
        oracle.update_trial(trial.trial_id, {"val_loss": loss(trial, sign)})
        trial.status = "COMPLETED"
    oracle.end_trial(trial)


def run(oracle, limit=100, **ending):
    for _ in range(limit):
        trial = oracle.create_trial("tuner0")
        if trial.status == "STOPPED":
            return
        assert trial.status == "RUNNING"
        end(oracle, trial, **ending)


def described(oracle):
    return [
        (
            values["epsilon"],
            values["tuner/initial_epoch"],
            values["tuner/epochs"],
            values.get("tuner/trial_id"),
        )
        for values in (t.hyperparameters.values for t in oracle.trials.values())
    ]


def test_better_half_goes_on_from_the_trial_before(tmp_path):
    oracle = make(tmp_path)
    run(oracle)
    assert described(oracle) == TRIALS
    assert oracle.num_trials() == len(TRIALS)


def test_greatest_objective_goes_on_where_it_is_maximized(tmp_path):
    oracle = make(tmp_path, "max")
    run(oracle, sign=-1)
    assert described(oracle) == TRIALS


def test_failed_trial_does_not_go_on(tmp_path):
    oracle = make(tmp_path)
    run(oracle, failed=[(0.4, 2), (0.3, 4), (0.0, 8)])
    assert described(oracle)[6:] == [
        (0.3, 2, 4, "0003"),
        (0.5, 2, 4, "0005"),
        (0.2, 2, 4, "0002"),
        (0.5, 4, 8, "0007"),
        (0.2, 4, 8, "0008"),
    ]


def test_fewer_go_on_where_most_failed(tmp_path):
    oracle = make(tmp_path)
    run(oracle, failed=[(epsilon, 2) for epsilon in EPSILONS if epsilon != 0.5])
    assert described(oracle)[6:] == [(0.5, 2, 4, "0005"), (0.5, 4, 8, "0006")]


def test_search_ends_where_all_but_the_baseline_failed(tmp_path):
    oracle = make(tmp_path)
    run(oracle, failed=[(epsilon, 2) for epsilon in EPSILONS])
    assert described(oracle) == TRIALS[:6]


def resumed(folder):
    """Returns the trials of a search that goes on from its files."""
    oracle = make(folder)
    oracle.reload()
    run(oracle)
    return described(oracle)


@pytest.mark.parametrize("ended", range(len(TRIALS)))
def test_search_that_was_killed_chooses_the_same(ended, tmp_path):
    stopped = make(tmp_path)
    run(stopped, limit=ended)
    stopped.create_trial("tuner0")
    assert resumed(tmp_path) == TRIALS


def test_trial_that_ended_as_its_process_was_killed_goes_on(tmp_path):
    stopped = make(tmp_path)
    run(stopped, limit=5)
    # Killed when the last trial of the rung was written, and the oracle not.
    stopped.save = lambda: None
    run(stopped, limit=1)
    assert resumed(tmp_path) == TRIALS


def test_rung_waits_for_the_trials_before_and_not_for_the_baseline(tmp_path):
    oracle = make(tmp_path)
    baseline = oracle.create_trial("worker0")
    *others, last = [oracle.create_trial(f"worker{i}") for i in range(1, 6)]
    for trial in others:
        end(oracle, trial)
    assert oracle.create_trial("worker1").status == "IDLE"
    assert len(oracle.trials) == 6
    end(oracle, last)
    assert oracle.create_trial("worker1").status == "RUNNING"
    assert baseline.status == "RUNNING"


def test_workers_choose_what_one_process_does(tmp_path):
    """The later trial of each pair ends first, and one waits for a third."""
    oracle = make(tmp_path)
    pairs = []
    while "STOPPED" not in pairs[-1:]:
        trials = [oracle.create_trial(f"worker{i}") for i in (0, 1)]
        pairs.append(trials[1].status)
        for trial in reversed(trials):
            if trial.status == "RUNNING":
                end(oracle, trial)
    assert pairs == [*["RUNNING"] * 4, "IDLE", "RUNNING", "STOPPED"]
    assert described(oracle) == TRIALS


def test_no_worker_is_sent_away_before_the_last_trial_has_ended(tmp_path):
    """Then what trials go on from can be removed."""
    oracle = make(tmp_path)
    run(oracle, limit=len(TRIALS) - 1)
    last = oracle.create_trial("worker0")
    assert oracle.create_trial("worker1").status == "IDLE"
    end(oracle, last)
    assert oracle.create_trial("worker1").status == "STOPPED"


@pytest.mark.parametrize(
    "max_epochs, rungs",
    [
        (40, [10, 20, 40]),
        (30, [8, 15, 30]),
        (4, [1, 2, 4]),
        (3, [1, 2, 3]),
        (2, [1, 2]),
        (1, [1]),
    ],
)
def test_few_epochs_have_fewer_rungs(max_epochs, rungs, tmp_path):
    assert make(tmp_path, max_epochs=max_epochs).rungs == rungs


def test_with_one_epoch_it_is_the_grid(tmp_path):
    oracle = make(tmp_path, max_epochs=1)
    assert oracle.num_trials() == 6
    while (trial := oracle.create_trial("tuner0")).status != "STOPPED":
        oracle.update_trial(trial.trial_id, {"val_loss": 1.0})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    assert described(oracle) == [(e, 0, 1, None) for e in EPSILONS]


def test_number_of_epochs_is_checked(tmp_path):
    with pytest.raises(ValueError, match="max_epochs=0"):
        make(tmp_path, max_epochs=0)


class HyperModel(keras_tuner.HyperModel):
    """That of the docstring, which notes the epochs trained."""

    def __init__(self):
        super().__init__()
        self.trained = []

    def build(self, hp):
        network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        network.compile("sgd", "mse")
        return network

    def fit(self, hp, model, *args, **kwargs):
        kwargs["epochs"] = hp.values["tuner/epochs"]
        history = model.fit(*args, **kwargs)
        self.trained.append((model.epsilon, len(history.epoch)))
        return history


def test_hypermodel_of_ones_own_heeds_the_epochs(tmp_path):
    hypermodel = HyperModel()
    searching = keras_tuner.Tuner(
        tuner.HalvingOracle("val_loss", max_epochs=2),
        tuner.AMPHyperModel(hypermodel, epsilon=[0.1, 0.2, 0.3]),
        directory=str(tmp_path),
    )
    x = np.ones((4, 2), "float32")
    searching.search(x, x[:, :1], validation_data=(x, x[:, :1]), verbose=0)
    first, last = hypermodel.trained[:4], hypermodel.trained[4:]
    assert first == [(0.0, 2), (0.1, 1), (0.2, 1), (0.3, 1)]
    assert len(last) == 2 and all(epochs == 2 for _, epochs in last)
    assert {epsilon for epsilon, _ in last} < {0.1, 0.2, 0.3}
