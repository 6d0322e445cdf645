"""Changes of training images and labels, pure functions of random numbers."""

import dataclasses

import tensorflow as tf

from amp_keras.datasets import random_numbers
from amp_keras.datasets.randaugment import RandAugment


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What training batches go through after crop and flip, in this order.

    Attributes:
        randaugment: Bool, whether `RandAugment` is applied. Defaults to
            `False`.
        cutout: Int, the side in pixels of a black square in each image, parts
            of which may lie outside. Defaults to `0`: none.
        mixup: Float >= 0, alpha: images and labels are averaged with those of
            another image, with a weight from Beta(alpha, alpha), one a batch.
            Defaults to `0.0`: none.
        cutmix: Float >= 0, alpha: a rectangle, whose share of the image is
            1 - Beta(alpha, alpha), one a batch, is that of another image.
            Defaults to `0.0`: none.
        label_smoothing: Float, 0 <= S < 1, the share of each label that is
            spread over all classes. Defaults to `0.0`.

    Raises:
        ValueError: If a value is out of range, or if there are both MixUp and
            CutMix.

    Reference:
        DeVries and Taylor, "Improved Regularization of Convolutional Neural
        Networks with Cutout", 2017; Zhang et al., "mixup: Beyond Empirical
        Risk Minimization", ICLR 2018; Yun et al., "CutMix", ICCV 2019; Szegedy
        et al., "Rethinking the Inception Architecture", CVPR 2016.
    """

    randaugment: bool = False
    cutout: int = 0
    mixup: float = 0.0
    cutmix: float = 0.0
    label_smoothing: float = 0.0

    def __post_init__(self):
        for name in ("cutout", "mixup", "cutmix"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise ValueError(
                    f"`{name}` must be finite and >= 0. "
                    f"Received: {name}={value!r}"
                )
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(
                "`label_smoothing` must be >= 0 and < 1. "
                f"Received: label_smoothing={self.label_smoothing!r}"
            )
        if self.mixup and self.cutmix:
            raise ValueError(
                "`mixup` and `cutmix` exclude each other. "
                f"Received: mixup={self.mixup!r}, cutmix={self.cutmix!r}"
            )

    @property
    def needs_whole_batch(self):
        """Whether an image cannot be had without the others of its batch."""
        return bool(self.randaugment or self.mixup or self.cutmix)

    @property
    def has_soft_labels(self):
        """Whether labels become float vectors over the classes."""
        return bool(self.mixup or self.cutmix or self.label_smoothing)

    def check_shape(self, image_shape):
        """Raises `ValueError` if images of that shape cannot be changed."""
        if self.randaugment and image_shape[-1] != 3:
            raise ValueError(
                "`randaugment` needs RGB images. "
                f"Received: images of shape {tuple(image_shape)}"
            )

    def pipeline(self, num_classes):
        """Returns a function from images, labels and random numbers to a batch.

        Args:
            num_classes: Int, the length of soft labels.

        Returns:
            A function of float32 images `(batch, height, width, channels)`,
            int32 labels `(batch,)` and `RandomNumbers`.
        """
        randaugment = RandAugment() if self.randaugment else None

        def augment(images, labels, random):
            if randaugment:
                key = random.key(random_numbers.RANDAUGMENT)
                images = randaugment(images, key)
            if self.cutout:
                images = random_cutout(images, self.cutout, random)
            if self.has_soft_labels:
                labels = tf.one_hot(labels, num_classes)
            if self.mixup or self.cutmix:
                images, labels = self._mix(images, labels, random)
            if self.label_smoothing:
                labels = smooth(labels, self.label_smoothing)
            return images, labels

        return augment

    def _mix(self, images, labels, random):
        key = random.key(random_numbers.MIX)
        weight_key, order_key, box_key = tf.unstack(
            tf.random.experimental.stateless_split(key, 3)
        )
        order = tf.random.experimental.stateless_shuffle(
            tf.range(tf.shape(labels)[0]), order_key
        )
        weight = _beta(self.mixup or self.cutmix, weight_key)
        if self.mixup:
            return mixup(images, labels, order, weight)
        center = tf.random.stateless_uniform((2,), box_key)
        return cutmix(images, labels, order, weight, center)


def random_crop(images, padding, random):
    """Crops each image, padded by zeros, at an offset of its own."""
    top, left = random.per_image(
        random_numbers.CROP, 2, maxval=2 * padding + 1, dtype=tf.int32
    )
    shape = tf.shape(images)
    rows = top[:, tf.newaxis] + tf.range(shape[1])
    columns = left[:, tf.newaxis] + tf.range(shape[2])
    around = (padding, padding)
    padded = tf.pad(images, ((0, 0), around, around, (0, 0)))
    cropped_rows = tf.gather(padded, rows, axis=1, batch_dims=1)
    return tf.gather(cropped_rows, columns, axis=2, batch_dims=1)


def random_flip(images, random):
    """Mirrors each image with probability 1/2."""
    (draw,) = random.per_image(random_numbers.FLIP, 1)
    flipped = tf.reshape(draw > 0.5, (-1, 1, 1, 1))
    return tf.where(flipped, tf.reverse(images, axis=[2]), images)


def random_cutout(images, size, random):
    """Blackens a square around a pixel drawn for each image."""
    row, column = random.per_image(random_numbers.CUTOUT, 2)
    height, width = images.shape[1:3]
    return cutout(
        images,
        size,
        tf.cast(row * height, tf.int32),
        tf.cast(column * width, tf.int32),
    )


def cutout(images, size, row, column):
    """Blackens a square in each image, as far as it lies inside.

    `keras.layers.RandomErasing` draws sides and proportions and never clips.

    Args:
        images: Tensor `(batch, height, width, channels)`.
        size: Int, the side of the square.
        row: int32 tensor `(batch,)`, the row of the center.
        column: int32 tensor `(batch,)`.

    Returns:
        Tensor of the same shape.
    """
    rows = _interval(row - size // 2, size, images.shape[1])
    columns = _interval(column - size // 2, size, images.shape[2])
    inside = rows[:, :, tf.newaxis] & columns[:, tf.newaxis, :]
    return tf.where(inside[..., tf.newaxis], tf.zeros_like(images), images)


def mixup(images, labels, order, weight):
    """Averages a batch with itself in another order.

    `keras.layers.MixUp` draws a weight for each image, from a state that
    advances from call to call.

    Args:
        images: Tensor `(batch, height, width, channels)`.
        labels: Tensor `(batch, classes)`.
        order: int32 tensor `(batch,)`, the indices of the other images.
        weight: Float between 0 and 1, the share that stays.

    Returns:
        A tuple: images and labels.
    """
    return tuple(
        weight * values + (1.0 - weight) * tf.gather(values, order)
        for values in (images, labels)
    )


def cutmix(images, labels, order, weight, center):
    """Pastes a rectangle of other images of the batch into each image.

    `keras.layers.CutMix` draws alpha itself, and its labels count fractions of
    pixels; here their shares are those of the pixels.

    Args:
        images: Tensor `(batch, height, width, channels)`.
        labels: Tensor `(batch, classes)`.
        order: int32 tensor `(batch,)`, the indices of the other images.
        weight: Float between 0 and 1, the share that stays if no part of the
            rectangle lies outside.
        center: Tensor `(2,)`, the rectangle's center as a share of height and
            width.

    Returns:
        A tuple: images and labels.
    """
    sides = tf.sqrt(1.0 - weight)
    inside = [
        _centered_interval(center[i], sides, images.shape[i + 1])
        for i in range(2)
    ]
    inside = inside[0][:, tf.newaxis] & inside[1]
    pasted = tf.reduce_mean(tf.cast(inside, labels.dtype))
    inside = inside[tf.newaxis, ..., tf.newaxis]
    images = tf.where(inside, tf.gather(images, order), images)
    labels = (1.0 - pasted) * labels + pasted * tf.gather(labels, order)
    return images, labels


def smooth(labels, share):
    """Spreads a share of each label `(batch, classes)` over all classes."""
    return (1.0 - share) * labels + share / labels.shape[-1]


def _interval(start, size, length):
    """Bools `(batch, length)`: what lies in an interval of each image."""
    positions = tf.range(length)
    start = start[:, tf.newaxis]
    return (positions >= start) & (positions < start + size)


def _centered_interval(center, share, length):
    size = tf.cast(share * length, tf.int32)
    middle = tf.cast(center * length, tf.int32)
    return _interval(tf.reshape(middle - size // 2, (1,)), size, length)[0]


def _beta(alpha, key):
    """One draw from Beta(alpha, alpha), by way of two Gamma variables."""
    gamma = tf.random.stateless_gamma((2,), key, alpha, dtype=tf.float64)
    # Both are too small to be told from zero for a tiny alpha only.
    share = tf.math.divide_no_nan(gamma[0], gamma[0] + gamma[1])
    return tf.cast(share, tf.float32)
