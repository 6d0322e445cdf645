"""Datasets of TFDS by name, mocked."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from amp_keras import datasets
from amp_keras.datasets import tfds_reader


@pytest.fixture(autouse=True)
def reachable(monkeypatch):
    monkeypatch.setattr(tfds_reader, "_check_reachable", lambda url: None)


def mocked(shape=(28, 28, 1), **more):
    """Twenty images whose pixels and labels count up."""

    def as_dataset(self, split, *args, **kwargs):
        count = tf.range(20)
        example = {
            "image": tf.cast(
                tf.broadcast_to(tf.reshape(count, (-1, 1, 1, 1)), (20, *shape)),
                tf.uint8,
            ),
            "label": tf.cast(count % 2, tf.int64),
            **{k: tf.cast(v(count), tf.int64) for k, v in more.items()},
        }
        return tf.data.Dataset.from_tensor_slices(example)

    return tfds.testing.mock_data(as_dataset_fn=as_dataset)


def test_any_name_is_read_and_gray_stays_one_channel():
    with mocked():
        data = datasets.load("tfds:fashion_mnist")
    assert data.name == "tfds:fashion_mnist"
    assert data.train.images.shape == data.test.images.shape == (20, 28, 28, 1)
    np.testing.assert_array_equal(data.train.images[:, 0, 0, 0], np.arange(20))
    assert data.class_names[0] == "T-shirt/top"
    assert (data.padding, data.flip) == (0, False)


def test_images_that_differ_in_size_need_image_size():
    with pytest.raises(datasets.DatasetError, match="`image_size` is required"):
        datasets.load("tfds:cats_vs_dogs")


def test_without_a_test_split_a_fifth_is_held_out():
    with mocked((30, 40, 3)):
        data = datasets.load("tfds:cats_vs_dogs", image_size=8)
    assert data.train.images.shape == (16, 8, 8, 3)
    assert np.bincount(data.test.labels).tolist() == [2, 2]
    pixels = [*data.train.images[:, 0, 0, 0], *data.test.images[:, 0, 0, 0]]
    assert sorted(pixels) == list(range(20))


@pytest.mark.parametrize(
    "name, message",
    [
        ("tfds:no_such_dataset", "has no dataset no_such_dataset"),
        ("tfds:imdb_reviews", "an `image` of 8 bits and a class as `label`"),
    ],
)
def test_other_datasets_are_refused(name, message):
    with pytest.raises(datasets.DatasetError, match=message) as error:
        datasets.load(name)
    assert str(error.value).startswith(f"{name} could not be loaded")


def human(**more):
    return mocked((32, 32, 3), worse_label=lambda n: (n + 1) % 10, **more)


def test_human_labels_are_trained_on_and_tests_have_the_clean_ones():
    with human():
        data = datasets.load("cifar10_n")
    np.testing.assert_array_equal(data.train.labels, (np.arange(20) + 1) % 10)
    np.testing.assert_array_equal(data.train.clean_labels, np.arange(20) % 2)
    np.testing.assert_array_equal(data.test.labels, np.arange(20) % 2)
    assert data.test.clean_labels is None
    # Only 1 of 0 to 9 is right: labels 1 at 0 and 10, whose clean one is 0.
    assert data.train.wrong_share == 1.0
    assert (data.padding, data.flip) == (4, True)


def test_labels_are_chosen_by_name():
    with human(random_label2=lambda n: n % 2):
        data = datasets.load("cifar10_n", labels="random_label2")
    assert data.train.wrong_share == 0.0
    with pytest.raises(ValueError, match="worse_label.*labels=best"):
        datasets.load("cifar10_n", labels="best")
