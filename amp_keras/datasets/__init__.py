"""Image datasets by name, read into memory."""

import keras

from amp_keras import extras

with extras.named("amp_keras.datasets", "apps"):
    import tensorflow as tf

    from amp_keras.datasets import cifar10
    from amp_keras.datasets import cifar100
    from amp_keras.datasets import digits
    from amp_keras.datasets import gtsrb_32x32
    from amp_keras.datasets import svhn
    from amp_keras.datasets.augmentation import Augmentation
    from amp_keras.datasets.batches import evaluation_batches
    from amp_keras.datasets.batches import training_batches
    from amp_keras.datasets.hold_out import hold_out
    from amp_keras.datasets.image_data import DatasetError
    from amp_keras.datasets.image_data import ImageData
    from amp_keras.datasets.image_data import Split

__all__ = [
    "NAMES",
    "Augmentation",
    "DatasetError",
    "ImageData",
    "Split",
    "evaluation_batches",
    "hide_gpus_from_tensorflow",
    "hold_out",
    "load",
    "training_batches",
]

_LOADERS = {
    "digits": digits.load,
    "cifar10": cifar10.load,
    "cifar100": cifar100.load,
    "svhn": svhn.load,
    "gtsrb": gtsrb_32x32.load,
}

NAMES = tuple(_LOADERS)


def load(name, data_dir=None, manual_dir=None):
    """Loads the dataset `name`, downloading it if need be.

    Args:
        name: String, one of `amp_keras.datasets.NAMES`.
        data_dir: String, the folder where TFDS keeps its datasets. Defaults to
            `None`: TFDS' own, `~/tensorflow_datasets`.
        manual_dir: String, a folder of archives to read instead of downloading
            them. Defaults to `None`: TFDS' own, `<data_dir>/downloads/manual`.

    Returns:
        An `ImageData`.

    Raises:
        ValueError: If there is no such dataset.
        DatasetError: If it can be neither found nor downloaded.
    """
    if name not in _LOADERS:
        raise ValueError(
            f"`name` must be one of {', '.join(NAMES)}. Received: name={name!r}"
        )
    return _LOADERS[name](data_dir=data_dir, manual_dir=manual_dir)


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
