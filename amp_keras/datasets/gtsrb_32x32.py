"""GTSRB as small square images: cropped to the sign and resized."""

import os

import tensorflow as tf

from amp_keras.datasets import tfds_reader
from amp_keras.datasets.gtsrb.gtsrb_dataset_builder import ARCHIVES
from amp_keras.datasets.gtsrb.gtsrb_dataset_builder import BASE_URL
from amp_keras.datasets.gtsrb.gtsrb_dataset_builder import Builder
from amp_keras.datasets.image_data import ImageData
from amp_keras.datasets.image_data import Split
from amp_keras.errors import AMPKerasError

_SIZE = 32
# A track number is unique within its class only.
_TRACKS_PER_CLASS = 1000
_MANUAL_SUBDIR = os.path.join("downloads", "manual")


def load(data_dir=None, manual_dir=None):
    """Loads GTSRB: 39,209 traffic signs to train on, 12,630 to test, 32x32 RGB.

    Each image is cropped to its region of interest and resized. The groups of
    the training data are its tracks: about 30 frames of one physical sign.
    Images are not mirrored in training: left and right are classes.

    Args:
        data_dir: String, the folder where TFDS keeps its datasets. Defaults to
            `None`: TFDS' own, `~/tensorflow_datasets`.
        manual_dir: String, a folder with the three official archives, read
            instead of downloading them. Defaults to `None`: TFDS' own,
            `<data_dir>/downloads/manual`.

    Returns:
        An `ImageData`.

    Raises:
        AMPKerasError: If the data is neither in `data_dir` nor in `manual_dir`
            nor downloadable.

    Reference:
        Stallkamp et al., "Man vs. computer: Benchmarking machine learning
        algorithms for traffic sign recognition", Neural Networks 32, 2012.
    """
    with tfds_reader.readable_errors("gtsrb", data_dir):
        builder = Builder(data_dir=data_dir)
        _prepare(builder, data_dir, manual_dir)
        train, test = (
            tfds_reader.read(builder, split, _example)
            for split in ("train", "test")
        )
        class_names = tuple(builder.info.features["label"].names)
        for split in (train, test):
            tfds_reader.check_labels(split["label"], len(class_names))
    tracks = train["label"] * _TRACKS_PER_CLASS + train["track"]
    return ImageData(
        name="gtsrb",
        class_names=class_names,
        train=Split(train["image"], train["label"], groups=tracks),
        test=Split(test["image"], test["label"]),
        padding=4,
        flip=False,
    )


def _prepare(builder, data_dir, manual_dir):
    """Prepares from `manual_dir`, which must then be right, or downloads."""
    folder = manual_dir or os.path.join(
        os.path.expanduser(data_dir or tfds_reader.DATA_DIR), _MANUAL_SUBDIR
    )
    holds_archives = any(
        os.path.exists(os.path.join(folder, name)) for name in ARCHIVES.values()
    )
    if manual_dir and not holds_archives and not builder.is_prepared():
        raise AMPKerasError(
            f"it is not prepared there, and {manual_dir} holds none of "
            f"{', '.join(ARCHIVES.values())}"
        )
    tfds_reader.prepare(builder, None if holds_archives else BASE_URL, folder)


def _example(example):
    """Crops a TFDS example to its sign, whose lower right corner is in it."""
    image = example["image"]
    size = tf.cast(tf.shape(image)[:2], tf.float32)
    corners = tf.reshape(example["roi"], (2, 2)) * size
    top_left, bottom_right = tf.unstack(tf.cast(tf.round(corners), tf.int32))
    end = bottom_right + 1
    sign = image[top_left[0] : end[0], top_left[1] : end[1]]
    sign = tf.image.resize(sign, (_SIZE, _SIZE), antialias=True)
    return {
        "image": tf.cast(tf.round(sign), tf.uint8),
        "label": example["label"],
        "track": example["track"],
    }
