"""RandAugment made of Keras' layers, as a pure function of a key."""

import keras
import tensorflow as tf
from keras import layers

_OPERATIONS_PER_IMAGE = 2
# What moves into an image is gray, as in the AMP authors' AutoAugment.
_FILL = {"fill_mode": "constant", "fill_value": 128.0}
_VALUE_RANGE = {"value_range": (0, 255)}


class RandAugment:
    """Applies two operations, drawn for each image, to RGB images.

    There are thirteen, each as likely, with magnitudes drawn uniformly up to
    those of AutoAugment: shear in x and in y (0.3), translation in x and in y
    (0.45 of the size), rotation (30 degrees), brightness (0.3), contrast (up
    to 1.9 times), loss of color (0.9), sharpness (0.1 to 1.9), posterization
    (4 to 7 bits), solarization and automatic contrast or equalization.

    `keras.layers.RandAugment` itself would not do: its random state advances
    from call to call, so that a step could not be repeated by itself; one draw
    of operations serves the whole batch; and one factor for all of them
    rotates by up to 180 degrees at its default. Its parts are used instead,
    each with a transformation drawn by a key of the step.

    Reference:
        Cubuk et al., "RandAugment: Practical automated data augmentation with
        a reduced search space", NeurIPS 2020; magnitudes: Cubuk et al.,
        "AutoAugment", CVPR 2019, table 6.
    """

    def __init__(self):
        self._seeds = _KeyedSeeds()
        self._operations = _operations()

    def __call__(self, images, key):
        """Returns the batch `images` with all its images changed.

        Args:
            images: float32 tensor `(batch, height, width, 3)`, 0 to 255.
            key: Tensor, a key of stateless random functions.
        """
        for turn in range(_OPERATIONS_PER_IMAGE):
            self._seeds.key = tf.random.experimental.stateless_fold_in(
                key, turn
            )
            choice = tf.random.stateless_uniform(
                tf.shape(images)[:1],
                self._seeds.next(),
                maxval=len(self._operations),
                dtype=tf.int32,
            )
            images = self._apply(images, choice)
        return images

    def _apply(self, images, choice):
        """Gives each operation the images that it was chosen for."""
        for number, operation in enumerate(self._operations):
            chosen = tf.where(choice == number)
            # One more than chosen, as some operations refuse empty batches.
            some = tf.concat([images[:1], tf.gather_nd(images, chosen)], axis=0)
            transformation = operation.get_random_transformation(
                some, training=True, seed=self._seeds
            )
            some = operation.transform_images(some, transformation)[1:]
            images = tf.tensor_scatter_nd_update(
                images, chosen, tf.cast(some, images.dtype)
            )
        return images


class _KeyedSeeds(keras.random.SeedGenerator):
    """Numbers the seeds from a key instead of changing a variable."""

    def __init__(self):
        super().__init__(seed=0)
        self._key = None
        self._drawn = 0

    @property
    def key(self):
        return self._key

    @key.setter
    def key(self, key):
        self._key = key
        self._drawn = 0

    def next(self, ordered=True):
        self._drawn += 1
        return tf.random.experimental.stateless_fold_in(self._key, self._drawn)


def _operations():
    operations = [
        layers.RandomShear(x_factor=0.3, y_factor=0.0, **_FILL),
        layers.RandomShear(x_factor=0.0, y_factor=0.3, **_FILL),
        layers.RandomTranslation(0.0, 0.45, **_FILL),
        layers.RandomTranslation(0.45, 0.0, **_FILL),
        layers.RandomRotation(30 / 360, **_FILL),
        layers.RandomBrightness(0.3, **_VALUE_RANGE),
        layers.RandomContrast(0.9, **_VALUE_RANGE),
        layers.RandomColorDegeneration((0.0, 0.9), **_VALUE_RANGE),
        layers.RandomSharpness((0.05, 0.95), **_VALUE_RANGE),
        layers.RandomPosterization((4, 8), **_VALUE_RANGE),
        layers.Solarization(threshold_factor=1.0, **_VALUE_RANGE),
        layers.AutoContrast(**_VALUE_RANGE),
        layers.Equalization(**_VALUE_RANGE),
    ]
    for operation in operations:
        # They run in tf.data, whatever the backend that trains.
        operation.backend.set_backend("tensorflow")
    return operations
