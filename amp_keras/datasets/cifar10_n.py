"""CIFAR-10N: CIFAR-10 with the labels that people gave it."""

import tensorflow_datasets as tfds

from amp_keras.datasets import tfds_reader
from amp_keras.datasets.image_data import ImageData
from amp_keras.datasets.image_data import Split

LABELS = (
    "worse_label",
    "aggre_label",
    "random_label1",
    "random_label2",
    "random_label3",
)

_IMAGE_SHAPE = (32, 32, 3)
_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"


def load(data_dir=None, manual_dir=None, labels=LABELS[0]):
    """Loads CIFAR-10 with human labels of its 50,000 training images.

    Three people labelled each image. The 10,000 test images have the clean
    labels.

    Args:
        data_dir: String, the folder where TFDS keeps its datasets. Defaults to
            `None`: TFDS' own, `~/tensorflow_datasets`.
        manual_dir: String, the folder with the human labels, which TFDS does
            not download. Defaults to `None`: `<data_dir>/downloads/manual`.
        labels: String, whose labels: `"worse_label"`, a wrong one if somebody
            gave one; `"aggre_label"`, the vote of the three; or
            `"random_label1"` to `"random_label3"`, one of them each. Defaults
            to `"worse_label"`.

    Returns:
        An `ImageData`, with the clean labels of the training data as
        `train.clean_labels`.

    Raises:
        ValueError: If there are no such `labels`.
        AMPKerasError: If the data is neither in `data_dir` nor can be prepared.

    Reference:
        Wei et al., "Learning with Noisy Labels Revisited: A Study Using
        Real-World Human Annotations", ICLR 2022.
    """
    if labels not in LABELS:
        raise ValueError(
            f"`labels` must be one of {', '.join(LABELS)}. "
            f"Received: labels={labels}"
        )
    with tfds_reader.readable_errors("cifar10_n", data_dir):
        builder = tfds.builder("cifar10_n", data_dir=data_dir)
        tfds_reader.prepare(builder, _URL, manual_dir)
        class_names = tuple(builder.info.features["label"].names)
        train = _read(builder, "train", labels, len(class_names))
        test = _read(builder, "test", "label", len(class_names))
    test.clean_labels = None
    return ImageData(
        "cifar10_n", class_names, train, test, padding=4, flip=True
    )


def _read(builder, split, labels, num_classes):
    arrays = tfds_reader.read(
        builder,
        split,
        lambda example: {k: example[k] for k in ("image", "label", labels)},
    )
    tfds_reader.check_images(arrays["image"], _IMAGE_SHAPE)
    for key in ("label", labels):
        tfds_reader.check_labels(arrays[key], num_classes)
    return Split(arrays["image"], arrays[labels], clean_labels=arrays["label"])
