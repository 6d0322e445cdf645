"""The command, in processes of its own, on a tiny network and digits."""

import csv
import json
import os
import socket
import subprocess
import sys

import keras
import pytest
import tiny_search
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

from amp_keras import models
from amp_keras.experiments import evaluation
from amp_keras.experiments import input_pipeline
from amp_keras.experiments import training
from amp_keras.experiments.config import TrainingConfig

ARGUMENTS = (
    "--train_examples=64",
    "--batch_size=32",
    "--epochs=2",
    "--executions_per_trial=2",
    "--epsilons=0.01,0.1",
)
TRIALS = [
    f"{epsilon} {seed} 0.2" for epsilon in (0, 0.01, 0.1) for seed in (0, 1)
]
FINAL = [f"{epsilon} {seed} 0" for seed in (0, 1) for epsilon in (0.01, 0)]


# With the folders that pytest has on its path.
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def run_search(folder, *arguments, **environment):
    """Runs the command; returns the process and what it trained."""
    calls, work = folder.with_suffix(".calls"), folder.with_suffix(".work")
    calls.write_text("")
    work.write_text("")
    result = subprocess.run(
        [
            sys.executable,
            tiny_search.__file__,
            *(arguments or ARGUMENTS),
            f"--output_dir={folder}",
        ],
        env={
            **ENVIRONMENT,
            "CALLS": str(calls),
            "WORK": str(work),
            **environment,
        },
        capture_output=True,
        text=True,
    )
    return result, calls.read_text().splitlines()


def work_of(folder):
    """Returns what the last search built and adapted, as numbers."""
    lines = folder.with_suffix(".work").read_text().splitlines()
    assert set(lines) <= {"build", "adapt"}
    return {name: lines.count(name) for name in ("build", "adapt")}


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A search that was killed in its fourth training and run again.

    Epsilon 0.1 fails. The baseline is made to look worse than it is, so that
    another one is chosen.
    """
    folder = tmp_path_factory.mktemp("search") / "search"
    killed, first = run_search(folder, KILL="4", HANDICAP="0", FAIL="0.1")
    assert work_of(folder) == {"build": 3, "adapt": 2}
    assert len(read_csv(folder / "trials.csv")) == 1  # Written as they end.
    again, second = run_search(folder, HANDICAP="0", FAIL="0.1")
    # The data of trials are known; those of the final runs are others.
    assert work_of(folder) == {"build": len(second), "adapt": 2}
    assert killed.returncode < 0 and again.returncode == 0, again.stderr
    return folder, first, second, again


def test_killed_search_finishes_the_rest_only(searched):
    _, first, second, _ = searched
    assert first == TRIALS[:3]
    # The trial that was killed in its second seed, and the final runs.
    assert second == TRIALS[2:4] + FINAL


def test_finished_search_trains_nothing_and_shows_its_results(searched):
    folder, _, _, again = searched
    before = (folder / "final.csv").read_text()
    result, calls = run_search(folder)
    assert calls == [] and result.returncode == 0
    assert work_of(folder) == {"build": 0, "adapt": 0}
    assert (folder / "final.csv").read_text() == before
    lines = [x for x in again.stdout.splitlines() if "test accuracy" in x]
    assert len(lines) == 2 and set(lines) < set(result.stdout.splitlines())


def test_failed_trials_are_counted_with_the_first_error(searched):
    assert (
        "1 of 3 trials failed; the first error: "
        "amp_keras.errors.AMPKerasError: This epsilon was to fail."
        in searched[-1].stderr
    )


def test_table_is_sorted_and_has_each_seed(searched):
    folder, *_, again = searched
    rows = read_csv(folder / "trials.csv")
    assert [float(row["epsilon"]) for row in rows] == [0.01, 0.0, 0.1]
    assert [row["status"] for row in rows] == [
        "completed",
        "completed",
        "failed",
    ]
    for row in rows[:2]:
        seeds = [float(row[f"val_loss_seed{seed}"]) for seed in (0, 1)]
        assert float(row["val_loss"]) == pytest.approx(sum(seeds) / 2)
    assert "| 0002 | failed | 0.1 |" in again.stdout


def test_progress_tells_trial_values_best_and_time(searched):
    _, _, _, again = searched
    output = again.stdout
    assert "1 of 3 trials have ended; going on with the rest" in output
    assert "trial 2 of 3: epsilon=0.01\n" in output
    assert "best so far val_loss" in output and "min left" in output


@pytest.fixture
def tiny_network(monkeypatch):
    monkeypatch.setitem(models._BUILDERS, "resnet20", tiny_search.tiny)


def best_config(folder, **changes):
    best = json.loads((folder / "best.json").read_text())
    return TrainingConfig(**{**best, **changes, "verbose": 0})


def train(config):
    keras.utils.set_random_seed(config.seed)
    data = input_pipeline.load_data(config)
    network, progress = training.train(config, data)
    return data, network, progress.history


@pytest.mark.usefixtures("tiny_network")
def test_trial_is_what_training_by_itself_gives(searched):
    """The last epoch, at the trial's epsilon, seed and validation split."""
    folder, *_ = searched
    best, *_ = read_csv(folder / "trials.csv")
    for seed in (0, 1):
        config = best_config(folder, seed=seed, validation_split=0.2)
        _, _, history = train(config)
        expected = history["val_loss"][-1]
        assert float(best[f"val_loss_seed{seed}"]) == pytest.approx(
            expected, rel=1e-4
        )


@pytest.mark.usefixtures("tiny_network")
def test_best_json_gives_the_final_run_of_the_chosen(searched):
    folder, *_ = searched
    config = best_config(folder)
    assert config.epsilon == 0.01 and config.validation_split == 0
    data, network, _ = train(config)
    metrics = evaluation.evaluate(network, data.test, config.batch_size)
    row, *_ = read_csv(folder / "final.csv")
    assert (row["role"], row["seed"]) == ("chosen", "0")
    assert float(row["test_loss"]) == pytest.approx(metrics["loss"], rel=1e-4)


def test_weights_are_left_of_the_final_networks_only(searched):
    folder, *_ = searched
    files = [p.relative_to(folder) for p in folder.rglob("*.keras")]
    assert sorted(map(str, files)) == [
        f"final/{role}-seed{seed}/model.keras"
        for role in ("baseline", "chosen")
        for seed in (0, 1)
    ]
    assert not [*folder.rglob("*.h5")]


def test_final_network_is_the_one_that_was_evaluated(searched):
    folder, *_ = searched
    rows = {(r["role"], r["seed"]): r for r in read_csv(folder / "final.csv")}
    assert len(rows) == 4
    data = input_pipeline.load_data(best_config(folder))
    for (role, seed), row in rows.items():
        path = folder / "final" / f"{role}-seed{seed}" / "model.keras"
        network = keras.models.load_model(path)
        metrics = evaluation.evaluate(network, data.test, 32)
        assert float(row["test_loss"]) == pytest.approx(
            metrics["loss"], rel=1e-4
        )


def test_plot_and_hparams_are_left(searched):
    folder, *_ = searched
    assert (folder / "epsilon.png").read_bytes().startswith(b"\x89PNG")
    events = EventAccumulator(str(folder / "tensorboard" / "0001" / "seed1"))
    events.Reload()
    tags = events.summary_metadata
    assert tags["_hparams_/session_start_info"].plugin_data.plugin_name == (
        "hparams"
    )
    assert b"epsilon" in (
        tags["_hparams_/session_start_info"].plugin_data.content
    )


def test_search_of_a_network_of_ones_own_on_wrong_labels(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(
        "import keras\n"
        "def net(input_shape, num_classes):\n"
        "    return keras.Sequential([\n"
        "        keras.Input(input_shape),\n"
        "        keras.layers.Flatten(),\n"
        "        keras.layers.Dense(num_classes),\n"
        "    ])\n"
    )
    arguments = (
        f"--model={file}:net",
        "--label_noise=0.4",
        "--max_examples=100",
        "--batch_size=32",
        "--epochs=1",
        "--epsilons=0.1",
    )
    folder = tmp_path / "run"
    result, calls = run_search(folder, *arguments)
    assert result.returncode == 0, result.stderr
    assert "40.0% of the labels" in result.stdout
    assert set(calls) == {"0 0 0.2", "0.1 0 0.2", "0 0 0", "0.1 0 0"} or (
        # Plain training was the best.
        set(calls) == {"0 0 0.2", "0.1 0 0.2", "0 0 0"}
    )
    best = best_config(folder)
    assert (best.label_noise, best.max_examples) == (0.4, 100)
    assert len(read_csv(folder / "final.csv")) >= 1
    file.write_text(file.read_text() + "# changed")
    result, calls = run_search(folder, *arguments)
    assert result.returncode == 2 and calls == []
    assert "the SHA-256 of the file of --model" in result.stderr


def test_network_that_cannot_be_built_ends_the_search(tmp_path):
    file = tmp_path / "own.py"
    file.write_text("def net(input_shape, num_classes):\n    return None\n")
    result, calls = run_search(
        tmp_path / "run", f"--model={file}:net", *ARGUMENTS[:-1]
    )
    assert result.returncode == 2
    assert calls == ["0 0 0.2"]
    line = result.stderr.splitlines()[-1]
    assert "--model:" in line and "must return a keras.Model" in line


def test_search_without_a_successful_trial_fails(tmp_path):
    result, calls = run_search(tmp_path / "run", FAIL="0,0.01,0.1")
    assert calls == [] and result.returncode == 1
    failed = "3 of 3 trials failed; the first error: amp_keras.err"
    assert failed in result.stderr
    assert "no trial succeeded" in result.stderr.splitlines()[-1]
    assert not (tmp_path / "run" / "best.json").exists()


WRONG = {
    "--epsilon=0.1": "--epsilons=VALUE,VALUE,... says among which",
    "--tuner=rand": "must be one of random, bayesian, hyperband, grid, halving",
    "--max_trials=1": "flag --max_trials=1",
    "--objective=loss": "did you mean val_loss?",
    "--search=epsilon,inner_ls": "did you mean inner_lr?",
    "--epsilons=0": "--epsilons must be numbers >= 0 with commas",
    "--epsilons=0.1,x": "Received: --epsilons=0.1,x",
    "--validation_split=0": "--validation_split must be greater than 0",
    "--adapt_epsilon": "--adapt_epsilon sets what the search would choose",
    "--tuner=hyperband --max_trials=9": "must not be given with --tuner=hyp",
    "--tuner=halving --max_trials=9": "trials follows from --epsilons",
    "--tuner=halving --epochs=8 --perturb_from=0.2": "after 2 of 8 epochs",
    "--worker=1": "--worker needs --chief=HOST:PORT",
    "--chief=host": "--chief must be HOST:PORT. Received: --chief=host",
    "--dataset=mnist": "must be one of digits, cifar10,",
    "--search=norm --max_trials=9": "at least 17, the size of the grid",
    "--optimizer=adamw --momentum=0.8": "--momentum must be 0.9, its default",
    "--config=none.json": "--config must be a JSON file",
}


@pytest.fixture(scope="module")
def messages(tmp_path_factory):
    """What each wrong command line prints, all from one process."""
    folder = tmp_path_factory.mktemp("wrong") / "wrong"
    commands = [line.split() for line in WRONG]
    result, calls = run_search(
        folder, "--verbose=0", COMMANDS=json.dumps(commands)
    )
    assert calls == []
    return dict(zip(WRONG, json.loads(result.stdout), strict=True))


@pytest.mark.parametrize("line", WRONG)
def test_wrong_flag_is_named_with_what_is_accepted(line, messages):
    code, message = messages[line]
    assert code == 2
    assert WRONG[line] in message


@pytest.mark.slow
@pytest.mark.parametrize(
    "search, num_values",
    [
        (["--max_trials=8", "--epochs=1"], 8),
        # 1 + 4 + 2 + 1 trials.
        (["--tuner=halving", "--epochs=4", "--epsilons=0.01,0.1,1,2"], 5),
    ],
)
def test_chief_and_two_workers_share_eight_trials(search, num_values, tmp_path):
    folder, calls = tmp_path / "shared", tmp_path / "calls"
    work = folder.with_suffix(".work")
    calls.touch()
    arguments = [
        "--train_examples=64",
        "--batch_size=32",
        *search,
        "--nofinal",
        f"--chief=127.0.0.1:{free_port()}",
        f"--output_dir={folder}",
    ]
    processes = [
        subprocess.Popen(
            [sys.executable, tiny_search.__file__, *arguments, *role],
            env={**ENVIRONMENT, "CALLS": str(calls), "WORK": str(work)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for role in ([], ["--worker=0"], ["--worker=1"])
    ]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    rows = read_csv(folder / "trials.csv")
    assert [row["status"] for row in rows] == ["completed"] * 8
    trained = calls.read_text().splitlines()
    assert len(trained) == 8 and len(set(trained)) == num_values
    assert work_of(folder) == {"build": 8, "adapt": 1}
    assert not (folder / "checkpoints").exists()
    ran = [output.count("ran trial") for output in outputs]
    assert ran[0] == 0 and ran[1] + ran[2] == 8


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
