"""GTSRB as small square images: cropped to the sign and resized."""

import tensorflow as tf

from amp_keras.datasets import tfds_reader
from amp_keras.datasets.gtsrb import gtsrb_dataset_builder
from amp_keras.datasets.image_data import ImageData
from amp_keras.datasets.image_data import Split

_SIZE = 32
# A track number is unique within its class only.
_TRACKS_PER_CLASS = 1000


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
        DatasetError: If the data is neither in `data_dir` nor in `manual_dir`
            nor downloadable.

    Reference:
        Stallkamp et al., "Man vs. computer: Benchmarking machine learning
        algorithms for traffic sign recognition", Neural Networks 32, 2012.
    """
    url = gtsrb_dataset_builder.BASE_URL
    with tfds_reader.readable_errors("gtsrb", data_dir, url):
        builder = gtsrb_dataset_builder.Builder(data_dir=data_dir)
        tfds_reader.prepare(builder, None if manual_dir else url, manual_dir)
        train, test = (
            tfds_reader.read(builder, split, _example)
            for split in ("train", "test")
        )
    tracks = train["label"] * _TRACKS_PER_CLASS + train["track"]
    return ImageData(
        name="gtsrb",
        class_names=tuple(builder.info.features["label"].names),
        train=Split(train["image"], train["label"], groups=tracks),
        test=Split(test["image"], test["label"]),
        padding=4,
        flip=False,
    )


def _example(example):
    """Crops a TFDS example to its sign and resizes it."""
    shape = tf.cast(tf.shape(example["image"]), tf.float32)
    top, left, bottom, right = tf.unstack(example["roi"])
    rows = tf.cast(tf.round([top * shape[0], bottom * shape[0]]), tf.int32)
    columns = tf.cast(tf.round([left * shape[1], right * shape[1]]), tf.int32)
    sign = example["image"][rows[0] : rows[1], columns[0] : columns[1]]
    sign = tf.image.resize(sign, (_SIZE, _SIZE), antialias=True)
    return {
        "image": tf.cast(tf.round(sign), tf.uint8),
        "label": example["label"],
        "track": example["track"],
    }
