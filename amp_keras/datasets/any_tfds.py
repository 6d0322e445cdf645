"""Any image classification dataset of TensorFlow Datasets, by its name."""

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from amp_keras.datasets import tfds_reader
from amp_keras.datasets.hold_out import hold_out_test
from amp_keras.datasets.image_data import ImageData
from amp_keras.datasets.image_data import Split
from amp_keras.errors import AMPKerasError

PREFIX = "tfds:"


def load(name, data_dir=None, manual_dir=None, image_size=None):
    """Loads the splits `train` and `test` of a TFDS dataset.

    Where TFDS has no split `test`, a stratified fifth of `train` is held out,
    always the same. Training images are neither cropped nor mirrored unless
    `ImageData.padding` and `flip` are set.

    Args:
        name: String, `"tfds:NAME"` with a name as `tfds.builder` takes it,
            such as `"tfds:fashion_mnist"`. Its examples must have an `image`
            of 8 bits and a class as `label`, and fit in memory.
        data_dir: String, the folder where TFDS keeps its datasets. Defaults to
            `None`: TFDS' own, `~/tensorflow_datasets`.
        manual_dir: String, a folder of archives that TFDS reads instead of
            downloading them, for the datasets that need it. Defaults to
            `None`.
        image_size: Int, the side in pixels to which images are resized.
            Defaults to `None`: they stay as they are, all of one size.

    Returns:
        An `ImageData`.

    Raises:
        AMPKerasError: If there is no such dataset, it is neither in `data_dir`
            nor downloadable, or is of another kind; or if its images differ in
            size and there is no `image_size`.
    """
    tfds_name = name.removeprefix(PREFIX)
    with tfds_reader.readable_errors(name, data_dir):
        builder = _builder(tfds_name, data_dir)
        _check_features(builder.info.features, image_size)
        url = next(iter(builder.url_infos or {}), None)
        tfds_reader.prepare(builder, url, manual_dir)
        class_names = tuple(builder.info.features["label"].names)
        train, test = _train_and_test(builder, image_size, len(class_names))
    return ImageData(name, class_names, train, test, padding=0, flip=False)


def _builder(name, data_dir):
    try:
        return tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as error:
        raise AMPKerasError(
            f"TensorFlow Datasets has no dataset {name}; "
            "https://www.tensorflow.org/datasets/catalog lists them"
        ) from error


def _check_features(features, image_size):
    named = isinstance(features, tfds.features.FeaturesDict)
    features = dict(features.items()) if named else {}
    image, label = features.get("image"), features.get("label")
    if (
        not isinstance(image, tfds.features.Image)
        or not isinstance(label, tfds.features.ClassLabel)
        or image.np_dtype != np.uint8
    ):
        raise AMPKerasError(
            "its examples must have an `image` of 8 bits and a class as `label`"
        )
    if None in image.shape and image_size is None:
        raise AMPKerasError(
            "its images differ in size: `image_size` is required. "
            "Received: image_size=None"
        )


def _train_and_test(builder, image_size, num_classes):
    def example(example):
        image = example["image"]
        if image_size:
            size = (image_size, image_size)
            image = tf.image.resize(image, size, antialias=True)
            image = tf.cast(tf.round(image), tf.uint8)
        return {"image": image, "label": example["label"]}

    if "train" not in builder.info.splits:
        raise AMPKerasError(
            "it must have a split `train`. "
            f"Received: {', '.join(builder.info.splits)}"
        )
    splits = []
    for name in ("train", "test"):
        if name in builder.info.splits:
            arrays = tfds_reader.read(builder, name, example)
            tfds_reader.check_labels(arrays["label"], num_classes)
            splits.append(Split(arrays["image"], arrays["label"]))
    return splits if len(splits) == 2 else hold_out_test(splits[0])
