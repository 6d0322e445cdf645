"""Image datasets by name, read into memory."""

import dataclasses

import keras

from amp_keras import extras

with extras.named("amp_keras.datasets", "apps"):
    import tensorflow as tf

    from amp_keras.datasets import any_tfds
    from amp_keras.datasets import cifar10
    from amp_keras.datasets import cifar10_n
    from amp_keras.datasets import cifar100
    from amp_keras.datasets import digits
    from amp_keras.datasets import folder
    from amp_keras.datasets import gtsrb_32x32
    from amp_keras.datasets import svhn
    from amp_keras.datasets.augmentation import Augmentation
    from amp_keras.datasets.batches import evaluation_batches
    from amp_keras.datasets.batches import training_batches
    from amp_keras.datasets.hold_out import hold_out
    from amp_keras.datasets.image_data import ImageData
    from amp_keras.datasets.image_data import Split
    from amp_keras.datasets.label_noise import NOISE_KINDS
    from amp_keras.datasets.label_noise import add_label_noise
    from amp_keras.datasets.subset import subset

__all__ = [
    "LABELS",
    "NOISE_KINDS",
    "PREFIXES",
    "Augmentation",
    "ImageData",
    "Split",
    "add_label_noise",
    "evaluation_batches",
    "hide_gpus_from_tensorflow",
    "hold_out",
    "load",
    "names",
    "register",
    "subset",
    "training_batches",
]

_LOADERS = {
    "digits": digits.load,
    "cifar10": cifar10.load,
    "cifar10_n": cifar10_n.load,
    "cifar100": cifar100.load,
    "svhn": svhn.load,
    "gtsrb": gtsrb_32x32.load,
}
_LOADERS_BY_PREFIX = {
    any_tfds.PREFIX: any_tfds.load,
    folder.PREFIX: folder.load,
}

PREFIXES = tuple(_LOADERS_BY_PREFIX)
LABELS = cifar10_n.LABELS


def names():
    """Returns the names of the registered datasets, a tuple of strings."""
    return tuple(_LOADERS)


def register(name, loader, override=False):
    """Makes a dataset known by a name, to `load` and to the commands.

    Example:

    ```python
    def load_mine(data_dir=None, manual_dir=None):
        return amp_keras.datasets.ImageData(
            name="mine",
            class_names=("cat", "dog"),
            train=amp_keras.datasets.Split(train_images, train_labels),
            test=amp_keras.datasets.Split(test_images, test_labels),
            padding=4,
            flip=True,
        )

    amp_keras.datasets.register("mine", load_mine)
    ```

    Args:
        name: String without a colon.
        loader: Function of the keyword arguments `data_dir` and `manual_dir`,
            as in `load`, that returns an `ImageData`.
        override: Bool, whether it may take the place of another dataset.
            Defaults to `False`.

    Returns:
        The loader that had the name before, or `None`.

    Raises:
        ValueError: If the name is no such string, or taken.
    """
    if not isinstance(name, str) or not name or ":" in name:
        raise ValueError(
            f"`name` must be a string without a colon. Received: name={name!r}"
        )
    if name in _LOADERS and not override:
        raise ValueError(
            "`name` must not be taken unless `override=True`. "
            f"Received: name={name!r}"
        )
    before = _LOADERS.get(name)
    _LOADERS[name] = loader
    return before


def load(
    name,
    data_dir=None,
    manual_dir=None,
    image_size=None,
    labels=None,
    padding=None,
    flip=None,
):
    """Loads a dataset, downloading it if need be.

    Args:
        name: String, one of `amp_keras.datasets.names()`; `"tfds:NAME"`, any
            image classification dataset of TensorFlow Datasets; or
            `"folder:PATH"`, image files in a folder for each class.
        data_dir: String, the folder where TFDS keeps its datasets. Defaults to
            `None`: TFDS' own, `~/tensorflow_datasets`.
        manual_dir: String, a folder of archives to read instead of downloading
            them. Defaults to `None`: TFDS' own, `<data_dir>/downloads/manual`.
        image_size: Int, the side in pixels to which the images of `"tfds:"`
            and `"folder:"` are resized. Defaults to `None`: not at all.
        labels: String, which labels of `"cifar10_n"` are trained on, one of
            `amp_keras.datasets.LABELS`. Defaults to `None`: `"worse_label"`.
        padding: Int, as in `ImageData`. Defaults to `None`: what the dataset
            has, 0 for `"tfds:"` and `"folder:"`.
        flip: Bool, as in `ImageData`. Defaults to `None`: what the dataset
            has, `False` for `"tfds:"` and `"folder:"`.

    Returns:
        An `ImageData`.

    Raises:
        ValueError: If there is no such dataset, or an argument is not for it.
        AMPKerasError: If it can be neither found nor downloaded, or read.
    """
    data = _load(name, data_dir, manual_dir, image_size, labels)
    changes = {"padding": padding, "flip": flip}
    return dataclasses.replace(
        data, **{k: v for k, v in changes.items() if v is not None}
    )


def hide_gpus_from_tensorflow():
    """Keeps the memory of the GPUs for JAX or PyTorch.

    TensorFlow only loads the data then, and would take all of it. It must be
    called before TensorFlow's first computation, and does nothing where
    TensorFlow is the backend of Keras. The commands call it themselves.
    """
    if keras.config.backend() != "tensorflow" and tf.config.get_visible_devices(
        "GPU"
    ):
        tf.config.set_visible_devices([], "GPU")


def _load(name, data_dir, manual_dir, image_size, labels):
    prefix = name.partition(":")[0] + ":"
    if image_size is not None and (prefix not in PREFIXES or image_size < 1):
        raise ValueError(
            "`image_size` must be a positive integer, and is for folder:PATH "
            "and tfds:NAME only. "
            f"Received: image_size={image_size}, name={name}"
        )
    if labels is not None and name != "cifar10_n":
        raise ValueError(
            "`labels` must be given for cifar10_n only. "
            f"Received: labels={labels}, name={name}"
        )
    if prefix in PREFIXES:
        return _LOADERS_BY_PREFIX[prefix](
            name, data_dir, manual_dir, image_size
        )
    if name not in _LOADERS:
        raise ValueError(
            f"`name` must be one of {', '.join(names())}, tfds:NAME or "
            f"folder:PATH. Received: name={name!r}"
        )
    options = {} if labels is None else {"labels": labels}
    return _LOADERS[name](data_dir=data_dir, manual_dir=manual_dir, **options)
