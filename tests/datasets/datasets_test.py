"""Loading by name, on data that the tests make."""

import numpy as np
import pytest
import requests
import tensorflow_datasets as tfds

from amp_keras import datasets
from amp_keras.datasets import tfds_reader


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


def test_cifar10_is_read_through_tfds(monkeypatch):
    monkeypatch.setattr(tfds_reader, "_check_reachable", lambda url: None)
    with tfds.testing.mock_data(num_examples=12):
        data = datasets.load("cifar10")
    assert data.train.images.shape == (12, 32, 32, 3)
    assert data.train.images.dtype == np.uint8
    assert data.train.labels.dtype == np.int32
    assert data.num_classes == 10
    assert (data.padding, data.flip) == (4, True)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="digits, cifar10, gtsrb.*name=mnist"):
        datasets.load("mnist")


@pytest.mark.parametrize(
    "name, url", [("cifar10", "cs.toronto.edu"), ("gtsrb", "sid.erda.dk")]
)
def test_no_data_and_no_network_says_what_was_tried(
    name, url, tmp_path, no_network
):
    with pytest.raises(datasets.DatasetError) as error:
        datasets.load(name, data_dir=str(tmp_path))
    message = str(error.value)
    assert message.startswith(f"{name} could not be loaded from {tmp_path}: ")
    assert url in message and "cannot be reached" in message
    assert "\n" not in message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["cifar10", "gtsrb"])
def test_data_dir_that_is_a_file_is_refused(name, tmp_path):
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(datasets.DatasetError, match="a file, not a folder"):
        datasets.load(name, data_dir=str(path))


def test_folder_with_another_dataset_under_the_name_is_refused(tmp_path):
    folder = tmp_path / "cifar10" / "3.0.2"
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text("{}")
    (folder / "features.json").write_text("not json")
    with pytest.raises(datasets.DatasetError, match="cifar10 could not be"):
        datasets.load("cifar10", data_dir=str(tmp_path))


def test_images_of_another_size_are_refused():
    with pytest.raises(datasets.DatasetError, match=r"Received: \(28, 28, 1\)"):
        tfds_reader.check_images(np.zeros((5, 28, 28, 1)), (32, 32, 3))
