"""The folder of a run of an earlier version is read, or refused clearly."""

import json
import pathlib
import shutil

import keras
import numpy as np
import pytest
from absl.testing import flagsaver

from amp_keras import models
from amp_keras.cli import command_line
from amp_keras.cli import train
from amp_keras.comparison import run_table
from amp_keras.experiments.config import TrainingConfig
from amp_keras.experiments.input_pipeline import load_data

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "run"
ARGUMENTS = (
    "--epsilon=0.05",
    "--epochs=3",
    "--train_examples=96",
    "--batch_size=32",
    "--validation_split=0.2",
    "--checkpoint_steps=1",
    "--verbose=0",
)


def tiny(input_shape, num_classes):
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(4, 3, strides=4)(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(0.2)(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes)(x))


@pytest.fixture
def run_again(monkeypatch, tmp_path, capsys):
    """Gives the command in a copy of a folder; returns what it prints."""
    monkeypatch.setitem(models._BUILDERS, "resnet20", tiny)

    def run(name, *arguments):
        folder = tmp_path / name
        if not folder.exists():
            copy(name, folder)
        argv = ["train.py", *ARGUMENTS, f"--output_dir={folder}", *arguments]
        with flagsaver.flagsaver():
            try:
                command_line.run(train.main, argv)
            except SystemExit as exit:
                code = exit.code or 0
        return folder, code, capsys.readouterr()

    return run


def copy(name, folder):
    """Copies a folder as if it had been written with this backend."""
    shutil.copytree(GOLDEN / name, folder)
    config = json.loads((folder / "config.json").read_text())
    config["backend"] = keras.config.backend()
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    return folder


def contents(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder): path.read_bytes() for path in files}


def test_finished_run_is_read_and_left_as_it_is(run_again, tmp_path):
    folder, code, printed = run_again("finished")
    metrics = json.loads((GOLDEN / "finished/metrics.json").read_text())
    assert code == 0
    assert f"test accuracy {metrics['test_accuracy']:.4f}" in printed.out
    expected = copy("finished", tmp_path / "expected")
    assert contents(folder) == contents(expected)
    assert f"{metrics['test_loss']:.4g}" in run_table.table([folder])


def test_its_network_gives_what_it_measured():
    network = keras.models.load_model(GOLDEN / "finished/model.keras")
    config = json.loads((GOLDEN / "finished/config.json").read_text())
    metrics = json.loads((GOLDEN / "finished/metrics.json").read_text())
    data = load_data(TrainingConfig(seed=config["seed"]))
    logits = network.predict(data.test.images.astype("float32"), verbose=0)
    accuracy = np.mean(logits.argmax(-1) == data.test.labels)
    assert metrics["test_accuracy"] == pytest.approx(accuracy)


def test_interrupted_run_is_refused_in_one_line_and_left_as_it_is(
    run_again, tmp_path
):
    folder, code, printed = run_again("interrupted")
    assert code == command_line.EXIT_CODE
    assert printed.err.splitlines()[-1].split(": ", 1)[1] == (
        f"{folder}/checkpoints/step-5.npz was written by another version of "
        "amp_keras: go on with the version that config.json names, or begin "
        "anew with --overwrite"
    )
    expected = copy("interrupted", tmp_path / "expected")
    assert contents(folder) == contents(expected)


def test_overwrite_begins_it_anew(run_again):
    run_again("interrupted")
    folder, code, _ = run_again("interrupted", "--overwrite")
    assert code == 0
    assert (folder / "metrics.json").exists()
    assert not (folder / "checkpoints").exists()
