"""Data, networks and wrong labels of one's own, through the commands."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from absl.testing import flagsaver
from PIL import Image

from amp_keras import datasets
from amp_keras import models
from amp_keras.cli import command_line
from amp_keras.cli import train
from amp_keras.comparison import run_table
from amp_keras.errors import AMPKerasError
from amp_keras.experiments import input_pipeline
from amp_keras.experiments import run_name
from amp_keras.experiments.config import TrainingConfig
from amp_keras.experiments.run_directory import RunDirectory

NETWORK = """
import keras

@keras.saving.register_keras_serializable("own_data_test")
class Scale(keras.layers.Layer):
    def build(self, shape):
        self.w = self.add_weight(shape=(), initializer="ones")
    def call(self, x):
        return self.w * x

def net(input_shape, num_classes):
    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten()(Scale()(inputs))
    return keras.Model(inputs, keras.layers.Dense(num_classes)(x))
"""


@pytest.fixture
def network(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(NETWORK)
    return path


@pytest.fixture
def folder(tmp_path):
    """Forty gray images of 6x4 pixels in two classes."""
    for label, name in enumerate(("a$b", "c$d")):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(20):
            pixels = np.full((4, 6), 100 * label + i, "uint8")
            file = tmp_path / "images" / name / f"{i}.png"
            Image.fromarray(pixels).save(file)
    return tmp_path / "images"


def run_app(*arguments):
    argv = ["train.py", "--verbose=0", "--batch_size=16", *arguments]
    with flagsaver.flagsaver():
        try:
            command_line.run(train.main, argv)
        except SystemExit as exit:
            if exit.code:
                raise


def fails(capfd, *arguments):
    capfd.readouterr()
    with pytest.raises(SystemExit) as exit:
        run_app(*arguments)
    assert exit.value.code == command_line.EXIT_CODE
    return capfd.readouterr().err.splitlines()[-1]


def read_json(path):
    return json.loads(path.read_text())


def load(**changes):
    return input_pipeline.load_data(TrainingConfig(**changes))


def test_a_network_of_ones_own_learns_a_folder_with_wrong_labels(
    network, folder, tmp_path, capsys
):
    run = tmp_path / "run"
    arguments = (
        f"--dataset=folder:{folder}",
        f"--model={network}:net",
        f"--output_dir={run}",
        "--image_size=5",
        "--crop=1",
        "--flip",
        "--label_noise=0.25",
        "--epochs=2",
        "--epsilon=0.1",
    )
    run_app(*arguments)
    sentence = (
        "25.0% of the labels of the training data, validation part included, "
        "are wrong (symmetric noise of 0.25, drawn by seed 0); test labels are "
        "clean"
    )
    assert sentence in capsys.readouterr().out
    assert sentence in (run / "README.md").read_text()
    config = read_json(run / "config.json")
    function = models.get(f"{network}:net")
    assert config["model_path"] == str(network)
    assert config["model_sha256"] == function.sha256
    assert config["class_names"] == ["a$b", "c$d"]
    assert config["pixel_range"] == [1, 119]
    assert config["image_shape"] == [5, 5, 1]
    assert config["examples"] == {"train": 32, "test": 8}
    metrics = read_json(run / "metrics.json")
    assert metrics["wrong_label_share"] == config["wrong_label_share"] == 0.25
    assert (run / "confusion.png").exists() and (run / "mistakes.png").exists()
    assert "| wrong_label_share |" in run_table.table([run])
    loaded = keras.models.load_model(run / "model.keras")
    assert loaded.output_shape == (None, 2)


def test_a_changed_file_of_the_network_is_not_gone_on_with(
    network, tmp_path, capfd
):
    arguments = (
        f"--model={network}:net",
        f"--output_dir={tmp_path / 'run'}",
        "--epochs=1",
        "--max_examples=32",
    )
    run_app(*arguments)
    run_app(*arguments)
    network.write_text(NETWORK + "\n# changed\n")
    message = fails(capfd, *arguments)
    assert "where the SHA-256 of the file of --model is " in message


def test_what_is_wrong_with_a_network_is_said_in_a_line(network, capfd):
    assert "--model: " in fails(capfd, "--model=nowhere.py:net")
    assert "has no function" in fails(capfd, f"--model={network}:other")
    network.write_text(NETWORK.replace("@keras.saving.register", "#"))
    message = fails(capfd, f"--model={network}:net")
    assert "@keras.saving.register_keras_serializable()" in message


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--image_size=8",), "--dataset=tfds:NAME or folder:PATH only"),
        (("--labels=worse_label",), "--dataset=cifar10_n only"),
        (("--labels=best",), "worse_label, aggre_label"),
        (("--max_examples=1438",), "training examples, 1437"),
        (("--label_noise=1.5",), "--label_noise=1.5"),
        (("--label_noise_kind=odd",), "one of symmetric, pair"),
        (("--crop=8",), "smaller than the images"),
        (("--crop=1", "--augment=false"), "must not be given with --augment"),
        (("--dataset=folder:/nowhere",), "No such file"),
        (("--dataset=mnist",), "gtsrb, tfds:NAME or folder:PATH"),
        (("--model=resnet21",), "PACKAGE.MODULE:FUNCTION; did you mean"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(arguments, message, capfd, tmp_path):
    run = tmp_path / "run"
    assert message in fails(capfd, *arguments, f"--output_dir={run}")
    assert not run.exists()


def test_images_of_several_sizes_name_the_flag(folder, capfd, tmp_path):
    Image.new("L", (9, 9)).save(folder / "a$b" / "other.png")
    message = fails(
        capfd, f"--dataset=folder:{folder}", f"--output_dir={tmp_path}/run"
    )
    assert "--image_size=32, say, resizes them" in message
    assert "--data_dir" not in message


def test_wrong_labels_are_in_training_and_validation_data_only():
    clean = load(validation_split=0.25)
    noisy = load(validation_split=0.25, label_noise=0.4)
    assert noisy.wrong_label_share == pytest.approx(0.4, abs=5e-4)
    for part in (noisy.train, noisy.validation):
        assert 0.3 < part.wrong_share < 0.5
    np.testing.assert_array_equal(noisy.test.labels, clean.test.labels)
    assert clean.wrong_label_share is None


def test_wrong_labels_do_not_depend_on_the_validation_part():
    """A search holds data out, and its final runs do not."""
    whole = load(label_noise=0.4)
    wrong = {
        image.tobytes(): label
        for image, label in zip(whole.train.images, whole.train.labels)
    }
    held = load(label_noise=0.4, validation_split=0.2)
    for part in (held.train, held.validation):
        for image, label in zip(part.images, part.labels):
            assert wrong[image.tobytes()] == label


def test_a_random_subset_is_not_made_of_the_wrong_labels():
    """The draws of one seed are independent of each other."""
    for name in ("train_examples", "max_examples"):
        data = load(label_noise=0.5, **{name: 200})
        assert 0.35 < data.wrong_label_share < 0.65


def test_max_examples_counts_the_validation_part():
    data = load(max_examples=500, validation_split=0.2)
    assert (len(data.train), len(data.validation)) == (400, 100)
    labels = np.concatenate([data.train.labels, data.validation.labels])
    whole = np.bincount(load().train.labels) / 1437
    np.testing.assert_allclose(np.bincount(labels) / 500, whole, atol=0.003)


def test_crop_and_flip_of_the_dataset_can_be_changed():
    assert (load().padding, load().flip) == (1, False)
    data = load(crop=2, flip=True)
    assert (data.padding, data.flip) == (2, True)
    assert load(crop=0).padding == 0


@pytest.mark.parametrize(
    "changes, name",
    [
        ({}, "digits"),
        ({"dataset": "tfds:fashion_mnist"}, "fashion_mnist"),
        ({"dataset": "folder:/a/b c/"}, "b_c"),
        ({"dataset": "cifar10_n", "labels": "aggre_label"}, "cifar10_n-aggre_"),
        ({"label_noise": 0.4}, "digits-symmetric-noise-0.4"),
        ({"label_noise": 0.4, "label_noise_kind": "pair"}, "digits-pair-noise"),
        ({"max_examples": 300}, "digits-300examples"),
        ({"dataset": "folder:/" + 300 * "a"}, 40 * "a"),
    ],
)
def test_folder_names_say_what_is_special_of_the_data(changes, name):
    made = run_name.of_data(TrainingConfig(**changes))
    assert made.startswith(name)
    assert made == RunDirectory.first_free(made, {}).name
    config = TrainingConfig(model="/a/b.py:net", **changes)
    assert run_name.of_network(config) == "net"


def test_an_interrupted_run_ends_with_the_same_weights(
    network, folder, tmp_path, monkeypatch
):
    arguments = (
        f"--dataset=folder:{folder}",
        f"--model={network}:net",
        "--flip",
        "--label_noise=0.25",
        "--label_noise_kind=pair",
        "--max_examples=32",
        "--validation_split=0.5",
        "--epochs=3",
        "--checkpoint_steps=1",
    )
    run_app(*arguments, f"--output_dir={tmp_path / 'whole'}")
    write = RunDirectory.write_history

    def stop(self, history):
        write(self, history)
        if len(history["loss"]) == 2:
            raise AMPKerasError("stopped")

    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "write_history", stop)
        with pytest.raises(SystemExit):
            run_app(*arguments, f"--output_dir={tmp_path / 'broken'}")
    assert not (tmp_path / "broken" / "metrics.json").exists()
    run_app(*arguments, f"--output_dir={tmp_path / 'broken'}")
    whole, broken = (tmp_path / name for name in ("whole", "broken"))
    histories = [(run / "history.csv").read_text() for run in (whole, broken)]
    assert histories[0] == histories[1]
    networks = [
        keras.models.load_model(run / "model.keras") for run in (whole, broken)
    ]
    for a, b in zip(*(network.get_weights() for network in networks)):
        np.testing.assert_array_equal(a, b)


def test_a_registered_dataset_and_network_are_known_to_the_commands(
    monkeypatch, tmp_path
):
    monkeypatch.setattr(datasets, "_LOADERS", dict(datasets._LOADERS))
    digits = datasets.load("digits")
    digits.train = digits.train.take(np.arange(40))
    datasets.register(
        "few_digits",
        lambda data_dir, manual_dir: dataclasses.replace(digits),
    )
    run = tmp_path / "run"
    run_app(
        "--dataset=few_digits",
        "--model=resnet8",
        "--epochs=1",
        f"--output_dir={run}",
    )
    assert read_json(run / "metrics.json")["dataset"] == "few_digits"
