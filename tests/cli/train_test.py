"""The command-line app, in one process, on tiny networks and mocked data."""

import csv
import json
import pathlib
import shlex
import signal
import subprocess
import sys
import time

import filelock
import gtsrb_archives
import keras
import numpy as np
import pytest
import requests
import tensorflow_datasets as tfds
from absl.testing import flagsaver
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)
from tensorboard.plugins.hparams import metadata

from amp_keras import models
from amp_keras.cli import command_line
from amp_keras.cli import train
from amp_keras.datasets import tfds_reader
from amp_keras.experiments.config import TrainingConfig
from amp_keras.experiments.default_epsilon import default_epsilon
from amp_keras.experiments.evaluation import evaluate
from amp_keras.experiments.input_pipeline import load_data
from amp_keras.experiments.optimizer import build_optimizer

APP = str(pathlib.Path(__file__).parents[2] / "apps" / "train.py")


def tiny(input_shape, num_classes):
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(4, 3, strides=4)(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes)(x))


@pytest.fixture(autouse=True)
def tiny_network(monkeypatch):
    monkeypatch.setitem(models._BUILDERS, "resnet20", tiny)


def run_app(*arguments):
    """Runs `python apps/train.py ARGUMENTS` in this process."""
    argv = ["train.py", "--verbose=0", *arguments]
    with flagsaver.flagsaver():
        try:
            command_line.run(train.main, argv)
        except SystemExit as exit:
            if exit.code:
                raise


@pytest.fixture
def failure(capfd):
    """Runs the app and returns the line that it prints when it gives up."""

    def line(*arguments):
        capfd.readouterr()
        with pytest.raises(SystemExit) as exit:
            run_app(*arguments)
        assert exit.value.code == command_line.EXIT_CODE
        *_, last = capfd.readouterr().err.splitlines()
        return last

    return line


def small(tmp_path, *arguments):
    output = tmp_path / "run"
    run_app(
        "--epochs=2",
        "--train_examples=64",
        "--batch_size=32",
        f"--output_dir={output}",
        *arguments,
    )
    return output


def read_json(path):
    return json.loads(path.read_text())


def hparams(run):
    """Returns the numbers that TensorBoard's HParams lists of a run."""
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    name = metadata.SESSION_START_INFO_TAG
    content = events.summary_metadata[name].plugin_data.content
    values = metadata.parse_session_start_info_plugin_data(content).hparams
    return {key: value.number_value for key, value in values.items()}


def test_run_leaves_its_files(tmp_path, capsys):
    run = small(tmp_path, "--epsilon=0.05", "--validation_split=0.2")
    assert sorted(path.name for path in run.iterdir()) == [
        "README.md",
        "config.json",
        "confusion.png",
        "curves.png",
        "history.csv",
        "metrics.json",
        "mistakes.png",
        "model.keras",
        "tensorboard",
        "test_predictions.csv",
    ]
    metrics = read_json(run / "metrics.json")
    assert metrics["epochs"] == 2 and metrics["seconds"] > 0
    method = ("epsilon", "inner_lr", "inner_iters", "norm")
    assert [metrics[name] for name in method] == [0.05, 1.0, 1, "global"]
    # 3*3*4 + 4 of the convolution, 8 of its normalization, 4*10 + 10.
    assert metrics["num_parameters"] == 98
    assert {"val_accuracy", "val_loss", "test_ece"} <= set(metrics)
    config = read_json(run / "config.json")
    assert config["validation_split"] == 0.2 and config["seed"] == 0
    assert {"python", "keras", "tensorflow"} <= set(config["versions"])
    with open(run / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert metrics["epoch"] == 1 + np.argmin(
        [float(row["val_loss"]) for row in rows]
    )
    kept = rows[metrics["epoch"] - 1]
    assert float(kept["loss"]) == pytest.approx(metrics["train_loss"])
    assert float(kept["val_loss"]) == pytest.approx(metrics["val_loss"])
    assert [float(row["epsilon"]) for row in rows] == [0.05, 0.05]
    page = (run / "README.md").read_text()
    assert f"| {metrics['test_accuracy']:.4f} |" in page
    assert config["command"] in page and "curves.png" in page
    assert list((run / "tensorboard" / "train").iterdir())
    listed = hparams(run)
    assert (listed["epsilon"], listed["batch_size"]) == (0.05, 32)
    output = capsys.readouterr().out
    assert f"test accuracy {metrics['test_accuracy']:.4f}" in output
    assert f"wrote {run / 'model.keras'}" in output


def test_saved_network_takes_raw_pixels_and_has_the_reported_accuracy(tmp_path):
    run = small(tmp_path, "--epsilon=0.05")
    network = keras.models.load_model(run / "model.keras")
    data = load_data(TrainingConfig())
    images = data.test.images.astype("float32")
    predictions = network.predict(images, verbose=0).argmax(-1)
    accuracy = np.mean(predictions == data.test.labels)
    metrics = read_json(run / "metrics.json")
    assert metrics["test_accuracy"] == pytest.approx(accuracy)


def test_a_run_can_be_repeated(tmp_path):
    first = small(tmp_path / "1", "--epsilon=0.05", "--seed=3")
    second = small(tmp_path / "2", "--epsilon=0.05", "--seed=3")
    histories = [(run / "history.csv").read_text() for run in (first, second)]
    assert histories[0] == histories[1]
    other = small(tmp_path / "3", "--epsilon=0.05", "--seed=4")
    assert (other / "history.csv").read_text() != histories[0]


def one_step(run, *arguments):
    run_app("--epochs=1", f"--output_dir={run}", *arguments)
    network = keras.models.load_model(run / "model.keras")
    assert network.input_shape == (None, 32, 32, 3)
    return network.output_shape, read_json(run / "metrics.json")["dataset"]


@pytest.mark.parametrize(
    "dataset, classes", [("cifar10", 10), ("cifar100", 100), ("svhn", 10)]
)
def test_one_step_on_mocked_tfds_data(dataset, classes, tmp_path, monkeypatch):
    monkeypatch.setattr(tfds_reader, "_check_reachable", lambda url: None)
    with tfds.testing.mock_data(num_examples=16):
        result = one_step(
            tmp_path / "run", f"--dataset={dataset}", "--batch_size=16"
        )
    assert result == ((None, classes), dataset)


def test_one_step_on_gtsrb_from_archives(tmp_path):
    gtsrb_archives.write_archives(tmp_path / "archives")
    result = one_step(
        tmp_path / "run",
        "--dataset=gtsrb",
        "--batch_size=5",
        f"--data_dir={tmp_path / 'data'}",
        f"--manual_dir={tmp_path / 'archives'}",
    )
    assert result == ((None, 43), "gtsrb")


@pytest.mark.parametrize(
    "arguments",
    [("--mixup=0.2", "--label_smoothing=0.1"), ("--cutmix=1", "--cutout=2")],
)
def test_augmented_run_is_validated_on_plain_labels(arguments, tmp_path):
    common = ("--epsilon=0.05", "--validation_split=0.2")
    augmented = small(tmp_path / "1", *common, *arguments)
    plain = small(tmp_path / "2", *common)
    histories = []
    for run in (augmented, plain):
        with open(run / "history.csv", newline="") as file:
            histories.append(list(csv.DictReader(file)))
    assert histories[0][0]["loss"] != histories[1][0]["loss"]
    network = keras.models.load_model(augmented / "model.keras")
    data = load_data(TrainingConfig(validation_split=0.2))
    expected = evaluate(network, data.validation, 64)["loss"]
    metrics = read_json(augmented / "metrics.json")
    assert metrics["val_loss"] == pytest.approx(expected, rel=1e-5)
    losses = [float(row["val_loss"]) for row in histories[0]]
    assert min(losses) == pytest.approx(expected, rel=1e-4)


def test_randaugment_trains_on_mocked_cifar10(tmp_path, monkeypatch):
    monkeypatch.setattr(tfds_reader, "_check_reachable", lambda url: None)
    with tfds.testing.mock_data(num_examples=16):
        result = one_step(
            tmp_path / "run",
            "--dataset=cifar10",
            "--batch_size=16",
            "--randaugment",
            "--cutmix=1",
        )
    assert result == ((None, 10), "cifar10")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--mixup=1", "--cutmix=0.5"), "Received: mixup=1.0, cutmix=0.5"),
        (("--randaugment",), "--randaugment cannot be used with --dataset=dig"),
        (("--cutout=-1",), "flag --cutout=-1"),
        (("--mixup=nan",), "--mixup=nan: must be a non-negative number"),
        (("--cutmix=much",), "flag --cutmix=much"),
        (("--label_smoothing=1",), "flag --label_smoothing=1"),
    ],
)
def test_impossible_augmentation_is_refused(
    arguments, message, tmp_path, failure
):
    output = tmp_path / "run"
    assert message in failure(*arguments, f"--output_dir={output}")
    assert not output.exists()


def test_default_epsilon_is_printed_and_depends_on_the_norm(tmp_path, capsys):
    used = {}
    for norm in ("global", "per_variable"):
        run = small(tmp_path / norm, f"--norm={norm}")
        used[norm] = read_json(run / "metrics.json")["epsilon"]
        printed = capsys.readouterr().out
        assert f"epsilon={used[norm]:g} (the default for resnet20" in printed
    assert used["global"] != used["per_variable"]


def test_origin_of_epsilon_is_kept_and_keeps_no_run_from_going_on(
    tmp_path, capsys
):
    run = small(tmp_path, "--inner_fraction=1/8")
    config = read_json(run / "config.json")
    epsilon, origin = default_epsilon("resnet20", "global", 1 / 8)
    assert (config["epsilon"], config["epsilon_origin"]) == (epsilon, origin)
    assert f"epsilon={epsilon:g} ({origin})" in capsys.readouterr().out
    small(tmp_path, "--inner_fraction=1/8", f"--epsilon={epsilon}")
    assert f"epsilon={epsilon:g} (given)" in capsys.readouterr().out
    assert read_json(run / "config.json") == config
    given = small(tmp_path / "given", f"--config={run / 'config.json'}")
    assert read_json(given / "config.json")["epsilon_origin"] == "given"


def test_optimizer_is_said_wherever_the_method_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_app(
        "--epochs=1",
        "--epsilon=0.05",
        "--train_examples=128",
        "--optimizer=adamw",
    )
    (run,) = (tmp_path / "runs").iterdir()
    assert "amp-global-0.05-adamw-1epochs" in run.name
    config = read_json(run / "config.json")
    assert (config["optimizer"], config["learning_rate"]) == ("adamw", 0.001)
    assert read_json(run / "metrics.json")["optimizer"] == "adamw"
    assert "inner_iters=1, AdamW, on" in (run / "README.md").read_text()


def test_perturbation_is_chosen_and_logged_on_demand(tmp_path):
    def history(name, *arguments):
        run = small(tmp_path / name, "--epsilon=0.05", *arguments)
        with open(run / "history.csv", newline="") as file:
            return list(csv.DictReader(file))[-1]

    logged = history("all", "--log_perturbation", "--norm=per_variable")
    # Each of the six variables is perturbed by at most epsilon.
    assert 0.05 < float(logged["perturbation_norm"]) <= 0.05 * 6**0.5 + 1e-6
    arguments = ("--log_perturbation", "--norm=per_variable")
    kernels = history("kernels", "--perturb=kernel", *arguments)
    assert float(kernels["perturbation_norm"]) <= 0.05 * 2**0.5 + 1e-6
    assert "perturbation_norm" not in history("without")


def test_perturbation_that_begins_late(tmp_path):
    """Plain training before, steps to the sphere after."""

    def run(name, *arguments):
        return small(
            tmp_path / name, "--epochs=4", "--train_examples=64", *arguments
        )

    late = ("--epsilon=0.5", "--inner_lr=1e6", "--perturb_from=0.6")
    path = run("late", *late, "--log_perturbation")
    with open(path / "history.csv", newline="") as file:
        history = list(csv.DictReader(file))
    plain = list(
        csv.DictReader(open(run("plain", "--epsilon=0") / "history.csv"))
    )
    assert [float(row["epsilon"]) for row in history] == [0, 0, 0, 0.5]
    norms = [float(row["perturbation_norm"]) for row in history]
    assert norms == pytest.approx([0, 0, 0, 0.5], rel=1e-5)
    assert [r["loss"] for r in history[:3]] == [r["loss"] for r in plain[:3]]
    assert read_json(path / "metrics.json")["perturb_from"] == 0.6
    assert "from 60 % of the epochs on" in (path / "README.md").read_text()


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("--perturb_from=0.95",), "no epoch is perturbed"),
        (("--perturb_from=0.5",), "1e6 makes it of size epsilon"),
    ],
)
def test_late_perturbation_that_does_nothing_is_warned_of(
    arguments, said, tmp_path
):
    with pytest.warns(UserWarning, match=said):
        small(tmp_path / "run", "--epsilon=0.5", "--epochs=2", *arguments)


def test_radius_is_set_by_validation_loss_wherever_the_method_is_said(
    tmp_path, monkeypatch
):
    """It begins with --epsilon, and with none in an epoch that underfits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("amp_keras.callbacks._BEGIN", 0.0)
    monkeypatch.setattr("amp_keras.callbacks._EARLIEST", 0)
    run_app(
        "--epochs=2",
        "--train_examples=64",
        "--batch_size=32",
        "--recipe=adaptive",
        "--epochs=2",
        "--epsilon=0.2",
    )
    (run,) = (tmp_path / "runs").iterdir()
    assert "amp-global-adaptive-part8-2epochs" in run.name
    with open(run / "history.csv", newline="") as file:
        history = list(csv.DictReader(file))
    assert [float(row["epsilon"]) for row in history] == [0, 0.2]
    page = (run / "README.md").read_text()
    assert "epsilon set by validation loss from 0.2 on" in page


def test_radius_of_plain_training_is_not_set(tmp_path):
    path = small(tmp_path, "--adapt_epsilon", "--epsilon=0", "--epochs=1")
    assert "plain training" in (path / "README.md").read_text()


@pytest.mark.parametrize(
    "arguments, said",
    [
        ((), "--validation_split, 0.1 say"),
        (("--validation_split=0.1", "--perturbation=random"), "adversarial"),
        (("--validation_split=0.1", "--perturb_from=0.5"), "must be 0.0 with"),
        (("--validation_split=0.1", "--epsilon=20"), "between 0.01 and 10"),
    ],
)
def test_radius_that_cannot_be_set_is_refused(
    arguments, said, failure, tmp_path
):
    path = tmp_path / "run"
    line = failure("--adapt_epsilon", f"--output_dir={path}", *arguments)
    assert said in line
    assert not path.exists()


def test_methods_beside_amp_are_said_wherever_the_method_is(
    tmp_path, monkeypatch, capsys
):
    """The random perturbation begins late without a warning of small gradients.

    With q = 1 the generalized cross-entropy is 1 - p, below 1; metrics have
    the cross-entropy, of 10 classes here.
    """
    monkeypatch.chdir(tmp_path)
    run_app(
        "--epochs=2",
        "--train_examples=64",
        "--batch_size=32",
        "--validation_split=0.2",
        "--epsilon=0.5",
        "--perturbation=random",
        "--perturb_from=0.5",
        "--log_perturbation",
        "--gce=1",
        "--label_smoothing=0.1",
        "--ema=0.9",
    )
    assert "norm=global, a random perturbation" in capsys.readouterr().out
    (run,) = (tmp_path / "runs").iterdir()
    assert "rmp-global-0.5-from0.5-ema0.9-gce1-2epochs" in run.name
    assert (
        "by random perturbation with epsilon=0.5, norm=global, from 50 % of "
        "the epochs on, generalized cross-entropy with q=1, weights averaged "
        "by 0.9"
    ) in (run / "README.md").read_text().replace("\n", " ")
    with open(run / "history.csv", newline="") as file:
        history = list(csv.DictReader(file))
    norms = [float(row["perturbation_norm"]) for row in history]
    assert norms == pytest.approx([0, 0.5], rel=1e-5)
    for name in ("loss", "val_loss"):
        assert all(0.5 < float(row[name]) < 1 for row in history)
    metrics = read_json(run / "metrics.json")
    assert metrics["val_loss"] > 1.5 and metrics["test_loss"] > 1.5
    flags = ("perturbation", "gce", "ema")
    assert [metrics[name] for name in flags] == ["random", 1, 0.9]


def test_ascent_on_a_part_of_the_batch_is_said_wherever_the_method_is(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    run_app(
        "--epochs=1",
        "--epsilon=0.05",
        "--train_examples=128",
        "--inner_fraction=1/4",
    )
    assert "inner_fraction=0.25" in capsys.readouterr().out
    (run,) = (tmp_path / "runs").iterdir()
    assert "amp-global-0.05-part4-1epochs" in run.name
    assert read_json(run / "metrics.json")["inner_fraction"] == 0.25
    assert "the ascent on 1/4 of each batch" in (run / "README.md").read_text()


def test_pattern_that_no_variable_has_is_refused(tmp_path, failure):
    message = failure("--perturb=nothing", f"--output_dir={tmp_path / 'run'}")
    assert "Received: --perturb=nothing" in message


def test_default_folder_is_that_of_the_same_run_or_a_new_one(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for learning_rate in (0.1, 0.2, 0.1):
        run_app(
            "--epochs=1",
            "--epsilon=0",
            "--train_examples=128",
            f"--learning_rate={learning_rate}",
        )
    names = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert names == [
        "digits-resnet20-erm-1epochs-seed0",
        "digits-resnet20-erm-1epochs-seed0-2",
    ]


def test_mirrored_devices_equal_one(tmp_path, monkeypatch):
    """Without batch normalization, which normalizes on each replica."""

    def without_batch_normalization(input_shape, num_classes):
        inputs = keras.Input(input_shape)
        x = keras.layers.Conv2D(4, 3, strides=4, activation="tanh")(inputs)
        x = keras.layers.Flatten()(x)
        return keras.Model(inputs, keras.layers.Dense(num_classes)(x))

    monkeypatch.setitem(
        models._BUILDERS, "resnet20", without_batch_normalization
    )
    runs = {
        name: small(tmp_path / name, f"--distribution={name}", "--epsilon=0.1")
        for name in ("none", "mirrored")
    }
    one, two = (
        keras.models.load_model(run / "model.keras").get_weights()
        for run in runs.values()
    )
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    replicas = read_json(runs["mirrored"] / "metrics.json")["num_replicas"]
    assert replicas == 2


def test_batch_that_the_devices_cannot_share_is_refused(tmp_path, failure):
    output = tmp_path / "run"
    message = failure(
        "--batch_size=31", "--distribution=mirrored", f"--output_dir={output}"
    )
    assert "number of devices, 2. Received: --batch_size=31" in message
    assert not output.exists()


def test_learning_rate_warms_up_and_decays_to_zero():
    config = TrainingConfig(epochs=10, learning_rate=0.4, warmup_epochs=1)
    schedule = build_optimizer(config, steps_per_epoch=20)._learning_rate
    values = [float(schedule(step)) for step in (0, 10, 20, 110, 200)]
    np.testing.assert_allclose(values, [0.0, 0.2, 0.4, 0.2, 0.0], atol=1e-6)


def test_weight_decay_leaves_out_biases_and_normalization():
    config = TrainingConfig(
        learning_rate=0.5, warmup_epochs=0, weight_decay=0.1
    )
    optimizer = build_optimizer(config, steps_per_epoch=10)
    network = tiny((8, 8, 1), 3)
    for weight in network.trainable_weights:
        weight.assign(keras.ops.ones(weight.shape))
    optimizer.apply(
        [keras.ops.zeros(w.shape) for w in network.trainable_weights],
        network.trainable_weights,
    )
    for weight in network.trainable_weights:
        expected = 0.95 if weight.path.endswith("kernel") else 1.0
        np.testing.assert_allclose(weight.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "argument, message",
    [
        (
            "--dataset=mnist",
            "one of digits, cifar10, cifar10_n, cifar100, svhn, gtsrb",
        ),
        ("--model=resnet-20", "did you mean resnet20?"),
        ("--norm=l1", "must be one of global, per_variable"),
        ("--epsilon=-1", "flag --epsilon=-1: -1.0 is not"),
        ("--epsilon=nan", "--epsilon=nan: must be a non-negative number"),
        ("--perturb=(", "--perturb=(: must be a regular expression"),
        ("--distribution=tpu", "must be one of auto, none, mirrored,"),
        ("--momentum=nan", "--momentum=nan: must be a number in the range"),
        ("--epsilon=big", "flag --epsilon=big"),
        ("--inner_iters=1.5", "--inner_iters=1.5: must be an integer"),
        ("--epochs=0", "flag --epochs=0"),
        ("--validation_split=1", "flag --validation_split=1: 1.0 is not"),
    ],
)
def test_wrong_flag_is_named_with_what_is_accepted(argument, message, failure):
    assert message in failure(argument)


def test_unknown_argument_is_refused(failure):
    assert "takes flags only. Received: cifar10" in failure("cifar10")


def test_no_data_says_what_was_tried_and_the_ways_out(
    tmp_path, monkeypatch, failure
):
    def refuse(*args, **kwargs):
        raise requests.ConnectionError

    monkeypatch.setattr(tfds_reader.requests, "head", refuse)
    message = failure(
        "--dataset=cifar10",
        f"--data_dir={tmp_path / 'none'}",
        f"--output_dir={tmp_path / 'run'}",
    )
    for part in ("cannot be reached", "--data_dir", "--dataset=digits"):
        assert part in message
    assert not (tmp_path / "run").exists()


def test_output_folder_that_cannot_be_written_is_refused(tmp_path, failure):
    (tmp_path / "file").touch()
    message = failure(f"--output_dir={tmp_path / 'file' / 'run'}")
    assert "--output_dir must be a folder that can be written" in message


def test_earlier_run_is_not_overwritten(tmp_path, failure):
    (tmp_path / "metrics.json").write_text("precious")
    message = failure(f"--output_dir={tmp_path}")
    assert "--output_dir must be new, empty or one to go on with" in message
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]
    assert (tmp_path / "metrics.json").read_text() == "precious"


def contents(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_finished_run_is_not_trained_again(tmp_path, capsys):
    run = small(tmp_path)
    before = contents(run)
    first = capsys.readouterr().out.splitlines()
    small(tmp_path, "--verbose=0")
    second = capsys.readouterr().out.splitlines()
    assert contents(run) == before
    assert [line for line in second if "test accuracy" in line] == [
        line for line in first if "test accuracy" in line
    ]


def test_other_configuration_is_refused_with_the_flags_named(tmp_path, failure):
    run = small(tmp_path)
    before = contents(run)
    message = failure(
        "--epochs=2",
        "--train_examples=64",
        "--batch_size=16",
        "--momentum=0.8",
        f"--output_dir={run}",
    )
    for part in (
        "--batch_size is 32, not 16",
        "--momentum is 0.9, not 0.8",
        "--overwrite",
    ):
        assert part in message
    assert "--epochs is" not in message
    assert contents(run) == before


def test_overwrite_removes_the_earlier_run_and_nothing_else(tmp_path):
    run = small(tmp_path)
    (run / "notes.txt").write_text("mine")
    small(tmp_path, "--momentum=0.8", "--overwrite")
    assert read_json(run / "config.json")["momentum"] == 0.8
    assert (run / "notes.txt").read_text() == "mine"


def test_folder_in_use_is_refused(tmp_path, failure):
    run = tmp_path / "run"
    run.mkdir()
    with filelock.FileLock(run / ".lock"):
        message = failure(f"--output_dir={run}")
    assert "--output_dir must not be in use by another process" in message


def test_lock_of_a_process_that_is_gone_does_not_count(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").touch()
    assert (small(tmp_path) / "metrics.json").exists()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_signal_saves_and_says_how_to_go_on(name, tmp_path):
    run = tmp_path / "run"
    command = [
        sys.executable,
        APP,
        "--model=resnet8",
        "--epochs=1000",
        "--train_examples=64",
        "--batch_size=32",
        "--verbose=2",
        f"--output_dir={run}",
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not (run / "history.csv").exists() and process.poll() is None:
        time.sleep(0.1)
    number = signal.Signals[name]
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    *_, advice, repeated = errors.splitlines()
    assert advice.endswith("The same command goes on from here:")
    again = f"KERAS_BACKEND={keras.config.backend()} python "
    assert repeated == again + shlex.join(command[1:])
    assert list((run / "checkpoints").glob("step-*.checkpoint"))
    assert not (run / ".lock").exists()


@pytest.mark.parametrize(
    "argument, message",
    [
        ("--batch_size=5000", "number of training examples, 1437"),
        ("--train_examples=1438", "--train_examples"),
        ("--validation_split=0.001", "--validation_split"),
    ],
)
def test_impossible_split_is_refused(argument, message, tmp_path, failure):
    output = tmp_path / "run"
    assert message in failure(argument, f"--output_dir={output}")
    assert not output.exists()


def test_run_that_diverges_in_its_last_step_says_so(tmp_path, failure):
    message = failure(
        "--learning_rate=1e30",
        "--warmup_epochs=0",
        "--epochs=1",
        "--train_examples=64",
        "--batch_size=64",
        f"--output_dir={tmp_path / 'run'}",
    )
    assert "outputs are not finite" in message


def test_train_examples_is_their_exact_number(tmp_path):
    for number in (49, 1436, 1437):
        data = load_data(TrainingConfig(train_examples=number, batch_size=32))
        assert len(data.train) == number


def test_diverging_run_stops_and_says_so(tmp_path, failure):
    message = failure(
        "--learning_rate=1e30",
        "--warmup_epochs=0",
        "--epochs=5",
        f"--output_dir={tmp_path / 'run'}",
    )
    assert "ceased to be finite at step 2, in epoch 1" in message
    assert not (tmp_path / "run" / "model.keras").exists()


def test_failure_has_an_exit_code_and_no_traceback(tmp_path):
    (tmp_path / "file").touch()
    result = subprocess.run(
        [sys.executable, APP, f"--output_dir={tmp_path}/file"],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith("train.py: --output_dir")
