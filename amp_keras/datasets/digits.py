"""The 1,797 handwritten digits that scikit-learn brings: no download."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from amp_keras.datasets.image_data import ImageData
from amp_keras.datasets.image_data import Split

# scikit-learn gives the digits without an official split. This one is
# stratified, and the same in every run.
_TEST_EXAMPLES = 360
_SPLIT_SEED = 0


def load(data_dir=None, manual_dir=None):
    """Loads the digits: 1,437 to train on, 360 to test, 8x8 pixels, 0 to 16.

    Args:
        data_dir: Ignored; the digits are part of scikit-learn.
        manual_dir: Ignored.

    Returns:
        An `ImageData`.

    Reference:
        Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI
        Machine Learning Repository, 1998.
    """
    digits = load_digits()
    images = digits.images[..., np.newaxis].astype("uint8")
    labels = digits.target.astype("int32")
    train, test = train_test_split(
        np.arange(len(labels)),
        test_size=_TEST_EXAMPLES,
        stratify=labels,
        random_state=_SPLIT_SEED,
    )
    return ImageData(
        name="digits",
        class_names=tuple(str(name) for name in digits.target_names),
        train=Split(images[train], labels[train]),
        test=Split(images[test], labels[test]),
        padding=1,
        flip=False,
    )
