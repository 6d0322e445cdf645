"""CIFAR-10N, mocked."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from amp_keras import datasets
from amp_keras.datasets import tfds_reader
from amp_keras.errors import AMPKerasError


@pytest.fixture(autouse=True)
def reachable(monkeypatch):
    monkeypatch.setattr(tfds_reader, "_check_reachable", lambda url: None)


def human(**labels):
    """CIFAR-10N of twenty images, whose clean labels are 0, 1, 0, 1, ..."""

    def as_dataset(self, *args, **kwargs):
        count = tf.range(20)
        labels["label"] = lambda count: count % 2
        example = {k: tf.cast(v(count), tf.int64) for k, v in labels.items()}
        example["image"] = tf.zeros((20, 32, 32, 3), tf.uint8)
        return tf.data.Dataset.from_tensor_slices(example)

    return tfds.testing.mock_data(as_dataset_fn=as_dataset)


def test_human_labels_are_trained_on_and_tests_have_the_clean_ones():
    with human(worse_label=lambda count: (count + 1) % 10):
        data = datasets.load("cifar10_n")
    np.testing.assert_array_equal(data.train.labels, (np.arange(20) + 1) % 10)
    np.testing.assert_array_equal(data.train.clean_labels, np.arange(20) % 2)
    np.testing.assert_array_equal(data.test.labels, np.arange(20) % 2)
    assert data.test.clean_labels is None
    assert data.train.wrong_share == 1.0
    assert (data.padding, data.flip) == (4, True)


def test_labels_are_chosen_by_name():
    with human(random_label2=lambda count: count % 2):
        data = datasets.load("cifar10_n", labels="random_label2")
    assert data.train.wrong_share == 0.0
    with pytest.raises(ValueError, match="worse_label.*labels=best"):
        datasets.load("cifar10_n", labels="best")


def test_labels_that_no_class_has_are_refused():
    with human(aggre_label=lambda count: count):
        with pytest.raises(AMPKerasError, match="0 and 9. Received: 10"):
            datasets.load("cifar10_n", labels="aggre_label")
