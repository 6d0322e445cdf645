"""CIFAR-10 through TensorFlow Datasets."""

from amp_keras.datasets import tfds_reader

_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"


def load(data_dir=None, manual_dir=None):
    """Loads CIFAR-10: 50,000 images to train on, 10,000 to test, 32x32 RGB.

    Args:
        data_dir: String, the folder where TFDS keeps its datasets. Defaults to
            `None`: TFDS' own, `~/tensorflow_datasets`.
        manual_dir: Ignored; TFDS downloads CIFAR-10 by itself.

    Returns:
        An `ImageData`.

    Raises:
        AMPKerasError: If the data is neither in `data_dir` nor downloadable, or
            is not that of CIFAR-10.

    Reference:
        Krizhevsky, "Learning Multiple Layers of Features from Tiny Images",
        2009.
    """
    return tfds_reader.load_images(
        "cifar10", "cifar10", _URL, data_dir, padding=4, flip=True
    )
