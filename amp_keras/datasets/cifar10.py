"""CIFAR-10 through TensorFlow Datasets."""

import tensorflow_datasets as tfds

from amp_keras.datasets import tfds_reader
from amp_keras.datasets.image_data import ImageData
from amp_keras.datasets.image_data import Split

_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
_IMAGE_SHAPE = (32, 32, 3)


def load(data_dir=None, manual_dir=None):
    """Loads CIFAR-10: 50,000 images to train on, 10,000 to test, 32x32 RGB.

    Args:
        data_dir: String, the folder where TFDS keeps its datasets. Defaults to
            `None`: TFDS' own, `~/tensorflow_datasets`.
        manual_dir: Ignored; TFDS downloads CIFAR-10 by itself.

    Returns:
        An `ImageData`.

    Raises:
        DatasetError: If the data is neither in `data_dir` nor downloadable.

    Reference:
        Krizhevsky, "Learning Multiple Layers of Features from Tiny Images",
        2009.
    """
    with tfds_reader.readable_errors("cifar10", data_dir):
        builder = tfds.builder("cifar10", data_dir=data_dir)
        tfds_reader.prepare(builder, _URL)
        train, test = (
            tfds_reader.read(builder, split, _example)
            for split in ("train", "test")
        )
        tfds_reader.check_images(train["image"], _IMAGE_SHAPE)
    return ImageData(
        name="cifar10",
        class_names=tuple(builder.info.features["label"].names),
        train=Split(train["image"], train["label"]),
        test=Split(test["image"], test["label"]),
        padding=4,
        flip=True,
    )


def _example(example):
    return {"image": example["image"], "label": example["label"]}
