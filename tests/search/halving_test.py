"""Halving gives a value that reaches the end what the grid gives it."""

import dataclasses

import keras
import pytest

from amp_keras import models
from amp_keras.experiments import distribution
from amp_keras.experiments import training
from amp_keras.experiments.config import TrainingConfig
from amp_keras.experiments.progress import Progress
from amp_keras.search import search
from amp_keras.search.directory import SearchDirectory
from amp_keras.search.options import SearchOptions

CONFIG = TrainingConfig(
    epsilon=0.0,
    epochs=4,
    batch_size=32,
    train_examples=80,
    validation_split=0.2,
    learning_rate=0.5,
    jit_compile="false",
    verbose=0,
)
OPTIONS = SearchOptions(
    tuner="halving",
    executions_per_trial=2,
    epsilons=(0.0, 0.01, 5.0),
)


def tiny(input_shape, num_classes):
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Flatten(),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(num_classes),
        ]
    )


@pytest.fixture(scope="module", autouse=True)
def trained():
    """What was trained: epsilon, seed, and the epochs before and after."""
    calls = []
    train, fits = training.train, Progress.remaining_fits

    def noted_train(config, *args, **kwargs):
        calls.append([config.epsilon, config.seed])
        return train(config, *args, **kwargs)

    def noted_fits(*args):
        parts = fits(*args)
        calls[-1] += [(p["initial_epoch"], p["epochs"]) for p in parts]
        return parts

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(models._BUILDERS, "resnet20", tiny)
        patch.setattr(training, "train", noted_train)
        patch.setattr(Progress, "remaining_fits", noted_fits)
        yield calls


def run(folder, **changes):
    """Returns the rows of a search, but for the seconds."""
    options = dataclasses.replace(OPTIONS, **changes)
    directory = SearchDirectory(folder, search.settings(options, CONFIG))
    devices = distribution.SingleDevice()
    try:
        rows = search.search(directory, options, CONFIG, devices, final=False)
    finally:
        directory.close()
    for row in rows:
        del row["seconds"]
    return rows


@pytest.fixture(scope="module")
def halved(trained, tmp_path_factory):
    """Rows, what was trained for them, and the folder."""
    trained.clear()
    folder = tmp_path_factory.mktemp("halved") / "search"
    rows = run(folder)
    return rows, [*trained], folder


def chosen_in_part(rows):
    (row,) = [r for r in rows if r["epsilon"] > 0 and r["epochs"] == 4]
    return row


def test_trials_go_on_where_the_one_before_stopped(halved):
    rows, trained, _ = halved
    better = chosen_in_part(rows)["epsilon"]
    assert trained == [
        [0.0, 0, (0, 4)],
        [0.0, 1, (0, 4)],
        [0.01, 0, (0, 1)],
        [5.0, 0, (0, 1)],
        [better, 0, (1, 2)],
        [better, 0, (2, 4)],
        [better, 1, (0, 4)],
    ]


def test_no_checkpoint_is_left(halved):
    _, _, folder = halved
    assert not (folder / "checkpoints").exists()
    assert not [*folder.rglob("*.checkpoint")]


def test_what_reaches_the_end_is_what_the_grid_gives(halved, tmp_path):
    rows, _, _ = halved
    better = chosen_in_part(rows)
    grid = run(tmp_path, tuner="grid", epsilons=(0.0, better["epsilon"]))
    ended = {r["epsilon"]: r for r in rows if r["epochs"] == 4}
    assert len(grid) == len(ended) == 2
    for row in grid:
        other = ended[row["epsilon"]]
        assert {"val_loss_seed0", "val_loss_seed1"} < set(row)
        assert set(row) ^ set(other) == {"epochs"}
        for name in set(row) - {"trial"}:
            assert row[name] == other[name], name


def of_first_seed(rows):
    return [(r["epsilon"], r["epochs"], r["val_loss_seed0"]) for r in rows]


def test_trial_without_the_checkpoint_begins_anew(
    halved, tmp_path, trained, monkeypatch
):
    """As on a machine that has no folder in common with the one before."""
    trained.clear()
    monkeypatch.setattr(
        SearchDirectory,
        "checkpoints",
        lambda self, trial_id, seed: tmp_path / str(len(trained)) / trial_id,
    )
    rows = run(tmp_path / "search", executions_per_trial=1)
    assert sorted(of_first_seed(rows)) == sorted(of_first_seed(halved[0]))
    assert [fit for *_, fit in trained] == [
        (0, epochs) for epochs in (4, 1, 1, 2, 4)
    ]


class PowerFailure(BaseException):
    """What a test raises where a process would be killed."""


@pytest.mark.parametrize(
    "killed",
    [
        pytest.param(2, marks=pytest.mark.slow),
        4,
        pytest.param(5, marks=pytest.mark.slow),
    ],
)
def test_killed_search_ends_as_if_left_alone(
    killed, halved, tmp_path, trained, monkeypatch
):
    """At the end of a training, in the first rung or a later one."""
    trained.clear()
    train = training.train

    def train_or_fail(*args, **kwargs):
        result = train(*args, **kwargs)
        if len(trained) == killed:
            raise PowerFailure
        return result

    monkeypatch.setattr(training, "train", train_or_fail)
    with pytest.raises(PowerFailure):
        run(tmp_path, executions_per_trial=1)
    rows = run(tmp_path, executions_per_trial=1)
    assert sorted(of_first_seed(rows)) == sorted(of_first_seed(halved[0]))
    assert len(trained) == 5 + 1
