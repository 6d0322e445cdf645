"""What a loaded dataset is."""

import dataclasses

import numpy as np


@dataclasses.dataclass
class Split:
    """Images with their labels.

    Attributes:
        images: uint8 array of shape `(examples, height, width, channels)`.
        labels: int32 array of shape `(examples,)`.
        groups: Array of shape `(examples,)`, or `None`. Examples of the same
            group (frames of one track) never fall on both sides of a
            validation split.
        clean_labels: int32 array of shape `(examples,)`, the true labels where
            `labels` are known to be noisy, or `None`.
    """

    images: np.ndarray
    labels: np.ndarray
    groups: np.ndarray | None = None
    clean_labels: np.ndarray | None = None

    def __len__(self):
        return len(self.labels)

    def take(self, indices):
        """Returns the examples at `indices` as a new `Split`."""
        return Split(
            *(
                None if values is None else values[indices]
                for values in (
                    self.images,
                    self.labels,
                    self.groups,
                    self.clean_labels,
                )
            )
        )

    @property
    def wrong_share(self):
        """Float, the share of wrong labels, or `None` if it is not known."""
        if self.clean_labels is None:
            return None
        return float(np.mean(self.labels != self.clean_labels))


@dataclasses.dataclass
class ImageData:
    """A dataset in memory.

    Attributes:
        name: String, as given to `amp_keras.datasets.load`.
        class_names: Tuple of strings, the name of each label.
        train: `Split` to train on.
        validation: `Split` held out of the training data, or `None`.
        test: `Split`, the official test data.
        padding: Int, the pixels of zeros around a training image before a
            crop of its own size is taken from it.
        flip: Bool, whether training images are mirrored at random.
    """

    name: str
    class_names: tuple
    train: Split
    test: Split
    padding: int
    flip: bool
    validation: Split | None = None

    @property
    def image_shape(self):
        """Tuple of ints `(height, width, channels)`."""
        return self.train.images.shape[1:]

    @property
    def num_classes(self):
        return len(self.class_names)

    @property
    def wrong_label_share(self):
        """Float, that of the training and validation data together.

        `None` if it is not known.
        """
        parts = [p for p in (self.train, self.validation) if p is not None]
        if any(part.clean_labels is None for part in parts):
            return None
        wrong = sum(len(part) * part.wrong_share for part in parts)
        return wrong / sum(map(len, parts))

    @property
    def pixel_range(self):
        """Tuple of ints, the smallest and the largest training pixel."""
        images = self.train.images
        return int(images.min()), int(images.max())
