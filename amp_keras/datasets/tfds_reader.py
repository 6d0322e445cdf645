"""From a TensorFlow Datasets builder to arrays, with errors people can read."""

import contextlib
import io
import os
import re

import numpy as np
import requests
import tensorflow as tf
import tensorflow_datasets as tfds

from amp_keras.datasets.image_data import ImageData
from amp_keras.datasets.image_data import Split
from amp_keras.errors import AMPKerasError

# TFDS' own default.
DATA_DIR = os.path.join("~", "tensorflow_datasets")

_IMAGE_SHAPE = (32, 32, 3)
_READ_BATCH = 1024
_REACH_TIMEOUT_SECONDS = 10
_LONGEST_REASON = 300


def load_images(name, tfds_name, url, data_dir, padding, flip):
    """Loads the splits `train` and `test` of a TFDS dataset of 32x32 images.

    Args:
        name: String, what the dataset is called here.
        tfds_name: String, what TFDS calls it.
        url: String, as in `prepare`.
        data_dir: String, the folder where TFDS keeps its datasets, or `None`.
        padding: Int, as in `ImageData`.
        flip: Bool, as in `ImageData`.

    Returns:
        An `ImageData`.

    Raises:
        AMPKerasError: If the data is neither in `data_dir` nor downloadable, or
            has other shapes or labels than it should.
    """
    with readable_errors(name, data_dir):
        builder = tfds.builder(tfds_name, data_dir=data_dir)
        prepare(builder, url)
        class_names = tuple(builder.info.features["label"].names)
        train, test = (
            _read_split(builder, split, len(class_names))
            for split in ("train", "test")
        )
    return ImageData(name, class_names, train, test, padding, flip)


def _read_split(builder, split, num_classes):
    arrays = read(builder, split, _image_and_label)
    check_images(arrays["image"], _IMAGE_SHAPE)
    check_labels(arrays["label"], num_classes)
    return Split(arrays["image"], arrays["label"])


def _image_and_label(example):
    return {"image": example["image"], "label": example["label"]}


def prepare(builder, url, manual_dir=None):
    """Downloads and prepares a dataset unless it is there already.

    Args:
        builder: A `tfds.core.DatasetBuilder`.
        url: String, what it downloads first. It is tried before TFDS is asked
            to, which would repeat for minutes where there is no network.
            `None` if nothing is to be downloaded.
        manual_dir: String, the folder of archives that TFDS reads instead of
            downloading. Defaults to `None`.

    Raises:
        AMPKerasError: If `url` is needed and cannot be reached.
    """
    if builder.is_prepared():
        return
    if url is None:
        print(f"Preparing {builder.name} from the archives in {manual_dir}")
        # TFDS would say that it downloads.
        scope = contextlib.redirect_stdout(io.StringIO())
    else:
        _check_reachable(url)
        scope = contextlib.nullcontext()
    with scope:
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(manual_dir=manual_dir)
        )


def read(builder, split, example_fn):
    """Reads one split of a prepared dataset into memory.

    Args:
        builder: A prepared `tfds.core.DatasetBuilder`.
        split: String, the name of the split.
        example_fn: Function from a TFDS example to a dict of tensors of fixed
            shapes.

    Returns:
        The dict that `example_fn` returns, of arrays over all examples in the
        order of the dataset. Integers wider than 32 bits become int32.
    """
    dataset = builder.as_dataset(split=split, shuffle_files=False)
    dataset = dataset.map(example_fn, num_parallel_calls=tf.data.AUTOTUNE)
    batches = list(dataset.batch(_READ_BATCH).as_numpy_iterator())
    return {
        name: _narrow(np.concatenate([batch[name] for batch in batches]))
        for name in batches[0]
    }


def check_images(images, shape):
    """Raises `AMPKerasError` unless the images have the given shape."""
    if images.shape[1:] != shape:
        raise AMPKerasError(
            f"its images must be of shape {shape}. Received: {images.shape[1:]}"
        )


def check_labels(labels, num_classes):
    """Raises `AMPKerasError` unless each label is that of a class."""
    wrong = labels[(labels < 0) | (labels >= num_classes)]
    if len(wrong):
        raise AMPKerasError(
            f"its labels must be between 0 and {num_classes - 1}. "
            f"Received: {wrong[0]}"
        )


@contextlib.contextmanager
def readable_errors(name, data_dir):
    """Turns whatever TFDS raises into an `AMPKerasError` of one line."""
    where = data_dir or DATA_DIR
    try:
        if os.path.isfile(os.path.expanduser(where)):
            raise AMPKerasError("that is a file, not a folder")
        yield
    except Exception as error:
        raise AMPKerasError(
            f"{name} could not be loaded from {where}: {_reason(error)}"
        ) from error


def _reason(error):
    reason = " ".join(str(error).split())
    if isinstance(error, tf.errors.DataLossError):
        damage = re.search(r"\w+ record at \d+", reason)
        return (
            "a file of the prepared dataset is damaged "
            f"({damage[0] if damage else 'data loss'}); remove it there to "
            "have it prepared again"
        )
    if isinstance(error, AMPKerasError):
        return reason
    return f"{type(error).__name__}: {reason[:_LONGEST_REASON]}".rstrip(".")


def _check_reachable(url):
    try:
        requests.head(url, timeout=_REACH_TIMEOUT_SECONDS).raise_for_status()
    except requests.RequestException as error:
        raise AMPKerasError(
            f"it is not prepared there, and {url} cannot be reached to "
            "download it"
        ) from error


def _narrow(array):
    return array.astype("int32") if array.dtype == "int64" else array
