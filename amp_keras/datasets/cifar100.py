"""CIFAR-100 through TensorFlow Datasets."""

from amp_keras.datasets import tfds_reader

_URL = "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"


def load(data_dir=None, manual_dir=None):
    """Loads CIFAR-100: 50,000 images to train on, 10,000 to test, 32x32 RGB.

    The labels are the 100 fine ones.

    Args:
        data_dir: String, the folder where TFDS keeps its datasets. Defaults to
            `None`: TFDS' own, `~/tensorflow_datasets`.
        manual_dir: Ignored; TFDS downloads CIFAR-100 by itself.

    Returns:
        An `ImageData`.

    Raises:
        AMPKerasError: If the data is neither in `data_dir` nor downloadable, or
            is not that of CIFAR-100.

    Reference:
        Krizhevsky, "Learning Multiple Layers of Features from Tiny Images",
        2009.
    """
    return tfds_reader.load_images(
        "cifar100", "cifar100", _URL, data_dir, padding=4, flip=True
    )
