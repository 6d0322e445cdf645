"""Batches as a pure function of (seed, step).

Step `k` of a run sees the same images, shuffled, cropped and mirrored the same
way, whenever and wherever it is computed. Resuming a run or repeating it needs
nothing but the seed and the number of steps done.
"""

import tensorflow as tf

from amp_keras.datasets import random_numbers
from amp_keras.datasets.augmentation import Augmentation
from amp_keras.datasets.augmentation import random_crop
from amp_keras.datasets.augmentation import random_flip


def training_batches(
    split,
    batch_size,
    seed,
    steps,
    start_step=0,
    padding=0,
    flip=False,
    shard=(0, 1),
    augmentation=None,
    num_classes=None,
):
    """Returns the batches of the steps `start_step` to `steps - 1`.

    Each epoch is a new permutation of the examples and has
    `len(split) // batch_size` batches; the remainder is left out, another one
    each epoch.

    Args:
        split: A `Split` of n examples.
        batch_size: Int, between 1 and n.
        seed: Int, the seed of the shuffle and of the augmentation.
        steps: Int, the step at which the run ends.
        start_step: Int, the first step. Defaults to `0`.
        padding: Int, the pixels of zeros around each image before a random
            crop of its own size. Defaults to `0`.
        flip: Bool, whether each image is mirrored with probability 1/2.
            Defaults to `False`.
        shard: Tuple `(index, count)`: of each batch, only the part `index` of
            `count` equal ones, in order. Defaults to `(0, 1)`, all of it.
        augmentation: An `Augmentation`, what comes after crop and flip.
            Defaults to `None`: nothing.
        num_classes: Int, the length of soft labels, which some augmentations
            make. Defaults to `None`: there are none.

    Returns:
        A `tf.data.Dataset` of `(images, labels)`: float32 of shape
        `(batch_size / count, height, width, channels)`, pixels as stored, and
        int32 of shape `(batch_size / count,)` or, if soft, float32 of shape
        `(batch_size / count, num_classes)`.

    Raises:
        ValueError: If `batch_size` is not between 1 and n, or not a multiple
            of `count`; or if the augmentation is not for such images.
    """
    _check_divisible("batch_size", batch_size, shard)
    if not 1 <= batch_size <= len(split):
        raise ValueError(
            "`batch_size` must be between 1 and the number of training "
            f"examples, {len(split)}. Received: batch_size={batch_size!r}"
        )
    augmentation = augmentation or Augmentation()
    augmentation.check_shape(split.images.shape[1:])
    augment = augmentation.pipeline(num_classes)
    # Only the shard is computed, unless its images need the others.
    early, late = shard, (0, 1)
    if augmentation.needs_whole_batch:
        early, late = late, early
    with tf.device("cpu"):
        images, labels = tf.constant(split.images), tf.constant(split.labels)

    def batch(step, indices):
        numbers = random_numbers.RandomNumbers(seed, step, batch_size, early)
        indices = random_numbers.part(indices, early)
        x, y = tf.gather(images, indices), tf.gather(labels, indices)
        if padding:
            x = random_crop(x, padding, numbers)
        if flip:
            x = random_flip(x, numbers)
        x = tf.ensure_shape(x, (None, *split.images.shape[1:]))
        x, y = augment(tf.cast(x, tf.float32), y, numbers)
        return random_numbers.part(x, late), random_numbers.part(y, late)

    indices = _shuffled_indices(len(split), batch_size, seed, start_step)
    numbered = tf.data.Dataset.range(start_step, steps)
    dataset = tf.data.Dataset.zip(numbered, indices)
    dataset = dataset.map(batch, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.prefetch(tf.data.AUTOTUNE)


def evaluation_batches(split, batch_size, shard=(0, 1), num_classes=None):
    """Returns all examples in their order, the last batch possibly smaller.

    Args:
        split: A `Split`.
        batch_size: Int.
        shard: As in `training_batches`; n must then be a multiple of `count`,
            too. Defaults to `(0, 1)`.
        num_classes: Int, the length of the labels as one-hot vectors. Defaults
            to `None`: labels are integers.

    Returns:
        A `tf.data.Dataset` of `(images, labels)`, as `training_batches` gives
        them.

    Raises:
        ValueError: If `batch_size` or n is not a multiple of `count`.
    """
    _check_divisible("batch_size", batch_size, shard)
    _check_divisible("len(split)", len(split), shard)
    dataset = tf.data.Dataset.from_tensor_slices((split.images, split.labels))
    dataset = dataset.batch(batch_size)

    def batch(x, y):
        x, y = random_numbers.part(x, shard), random_numbers.part(y, shard)
        y = y if num_classes is None else tf.one_hot(y, num_classes)
        return tf.cast(x, tf.float32), y

    dataset = dataset.map(batch)
    return dataset.prefetch(tf.data.AUTOTUNE)


def _shuffled_indices(examples, batch_size, seed, start_step):
    """The indices of each batch, from `start_step` on without end."""
    first_epoch, done = divmod(start_step, examples // batch_size)

    def permutation(epoch):
        return tf.random.experimental.stateless_shuffle(
            tf.range(examples),
            random_numbers.key(seed, random_numbers.SHUFFLE, epoch),
        )

    epochs = tf.data.Dataset.range(first_epoch, tf.int64.max)
    batches = epochs.flat_map(
        lambda epoch: tf.data.Dataset.from_tensor_slices(
            permutation(epoch)
        ).batch(batch_size, drop_remainder=True)
    )
    return batches.skip(done)


def _check_divisible(name, value, shard):
    _, count = shard
    if value % count:
        raise ValueError(
            f"`{name}` must be a multiple of the number of shards, {count}. "
            f"Received: {name}={value!r}"
        )
