"""Loading by name, on data that the tests make."""

import importlib

import keras
import numpy as np
import pytest
import requests
import tensorflow as tf
import tensorflow_datasets as tfds

from amp_keras import datasets
from amp_keras.datasets import tfds_reader
from amp_keras.errors import AMPKerasError


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise requests.ConnectionError("no network")

    monkeypatch.setattr(tfds_reader.requests, "head", refuse)


def test_digits_are_whole_and_split_once():
    data = datasets.load("digits")
    assert data.train.images.shape == (1437, 8, 8, 1)
    assert data.test.images.shape == (360, 8, 8, 1)
    assert data.train.images.max() == 16
    assert data.class_names == tuple("0123456789")
    assert np.bincount(data.test.labels).min() >= 34
    again = datasets.load("digits")
    np.testing.assert_array_equal(data.test.images, again.test.images)


@pytest.fixture
def reachable(monkeypatch):
    monkeypatch.setattr(tfds_reader, "_check_reachable", lambda url: None)


@pytest.mark.usefixtures("reachable")
@pytest.mark.parametrize(
    "name, classes, padding, flip",
    [("cifar10", 10, 4, True), ("cifar100", 100, 4, True), ("svhn", 10, 2, 0)],
)
def test_dataset_is_read_through_tfds(name, classes, padding, flip):
    with tfds.testing.mock_data(num_examples=12):
        data = datasets.load(name)
    assert data.name == name
    assert data.train.images.shape == (12, 32, 32, 3)
    assert data.train.images.dtype == np.uint8
    assert data.train.labels.dtype == np.int32
    assert data.num_classes == classes
    assert (data.padding, data.flip) == (padding, flip)


@pytest.mark.usefixtures("reachable")
@pytest.mark.parametrize(
    "name, tfds_name", [("svhn", "svhn_cropped"), ("cifar100", "cifar100")]
)
def test_only_the_splits_train_and_test_are_read(name, tfds_name, monkeypatch):
    read, splits = tfds_reader.read, []

    def recording(builder, split, example_fn):
        splits.append((builder.name, split))
        return read(builder, split, example_fn)

    monkeypatch.setattr(tfds_reader, "read", recording)
    with tfds.testing.mock_data(num_examples=2):
        datasets.load(name)
    assert splits == [(tfds_name, "train"), (tfds_name, "test")]


def mocked(image_shape=(32, 32, 3), label=3, coarse_label=19):
    """TFDS data of constant images, whatever is asked for."""

    def as_dataset(self, *args, **kwargs):
        example = {
            "image": tf.zeros(image_shape, tf.uint8),
            "label": tf.constant(label, tf.int64),
            "coarse_label": tf.constant(coarse_label, tf.int64),
        }
        return tf.data.Dataset.from_tensors(example).repeat(3)

    return tfds.testing.mock_data(as_dataset_fn=as_dataset)


@pytest.mark.usefixtures("reachable")
def test_labels_of_cifar100_are_the_fine_ones():
    with mocked(label=99, coarse_label=19):
        data = datasets.load("cifar100")
    np.testing.assert_array_equal(data.train.labels, 99)


@pytest.mark.usefixtures("reachable")
@pytest.mark.parametrize(
    "name, label, last",
    [("cifar10", 10, 9), ("cifar100", 100, 99), ("svhn", -1, 9)],
)
def test_label_that_no_class_has_is_refused(name, label, last):
    with mocked(label=label):
        with pytest.raises(AMPKerasError) as error:
            datasets.load(name)
    expected = f"between 0 and {last}. Received: {label}"
    assert str(error.value).endswith(expected)
    assert str(error.value).startswith(f"{name} could not be loaded")


@pytest.mark.usefixtures("reachable")
@pytest.mark.parametrize("name", ["cifar10", "cifar100", "svhn"])
def test_images_of_another_size_are_refused(name):
    with mocked(image_shape=(28, 28, 1)):
        with pytest.raises(AMPKerasError, match=r"\(28, 28, 1\)"):
            datasets.load(name)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(
        ValueError,
        match="digits, cifar10, cifar10_n, cifar100, svhn, gtsrb.*mnist",
    ):
        datasets.load("mnist")


@pytest.mark.parametrize(
    "name, url",
    [
        ("cifar10", "cifar-10-binary"),
        ("cifar100", "cifar-100-binary"),
        ("svhn", "ufldl.stanford.edu"),
        ("gtsrb", "sid.erda.dk"),
    ],
)
def test_no_data_and_no_network_says_what_was_tried(
    name, url, tmp_path, no_network
):
    with pytest.raises(AMPKerasError) as error:
        datasets.load(name, data_dir=str(tmp_path))
    message = str(error.value)
    assert message.startswith(f"{name} could not be loaded from {tmp_path}: ")
    assert url in message and "cannot be reached" in message
    assert "\n" not in message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "svhn", "gtsrb"])
def test_data_dir_that_is_a_file_is_refused(name, tmp_path):
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(AMPKerasError, match="a file, not a folder"):
        datasets.load(name, data_dir=str(path))


def test_folder_with_another_dataset_under_the_name_is_refused(tmp_path):
    folder = tmp_path / "cifar10" / "3.0.2"
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text("{}")
    (folder / "features.json").write_text("not json")
    with pytest.raises(AMPKerasError, match="cifar10 could not be"):
        datasets.load("cifar10", data_dir=str(tmp_path))


def test_registered_dataset_is_loaded_by_its_name(monkeypatch):
    monkeypatch.setattr(datasets, "_LOADERS", dict(datasets._LOADERS))
    data = datasets.load("digits")
    loader = lambda data_dir=None, manual_dir=None: data  # noqa: E731
    assert datasets.register("mine", loader) is None
    assert datasets.names()[-1] == "mine"
    assert datasets.load("mine", padding=3, flip=True).padding == 3
    assert not data.flip
    with pytest.raises(ValueError, match="taken.*name='digits'"):
        datasets.register("digits", loader)
    assert datasets.register("mine", print, override=True) is loader
    with pytest.raises(ValueError, match="without a colon.*'a:b'"):
        datasets.register("a:b", loader)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"image_size": 32}, "folder:PATH and tfds:NAME only.*name=digits"),
        ({"labels": "worse_label"}, "cifar10_n only.*name=digits"),
    ],
)
def test_arguments_that_are_not_for_the_dataset_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        datasets.load("digits", **arguments)


def test_import_hides_no_gpu(monkeypatch):
    """JAX and PyTorch users ask for it, and the commands do."""
    hidden = []
    monkeypatch.setattr(
        tf.config, "set_visible_devices", lambda *args: hidden.append(args)
    )
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [kind])
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    importlib.reload(datasets)
    assert not hidden
    datasets.hide_gpus_from_tensorflow()
    assert hidden == [([], "GPU")]
    monkeypatch.setattr(keras.config, "backend", lambda: "tensorflow")
    datasets.hide_gpus_from_tensorflow()
    assert len(hidden) == 1
