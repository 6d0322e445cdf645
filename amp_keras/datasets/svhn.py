"""SVHN, house numbers cropped to single digits, through TensorFlow Datasets."""

from amp_keras.datasets import tfds_reader

_URL = "http://ufldl.stanford.edu/housenumbers/train_32x32.mat"


def load(data_dir=None, manual_dir=None):
    """Loads SVHN: 73,257 digits to train on, 26,032 to test, 32x32 RGB.

    The 531,131 easier images of the split `extra` are not used. Images are not
    mirrored in training, and are padded by two pixels, as in the code of the
    AMP paper.

    Args:
        data_dir: String, the folder where TFDS keeps its datasets. Defaults to
            `None`: TFDS' own, `~/tensorflow_datasets`.
        manual_dir: Ignored; TFDS downloads SVHN by itself.

    Returns:
        An `ImageData`.

    Raises:
        AMPKerasError: If the data is neither in `data_dir` nor downloadable, or
            is not that of SVHN.

    Reference:
        Netzer et al., "Reading Digits in Natural Images with Unsupervised
        Feature Learning", NIPS workshop 2011.
    """
    return tfds_reader.load_images(
        "svhn", "svhn_cropped", _URL, data_dir, padding=2, flip=False
    )
