"""Batches as a pure function of (seed, step).

Step `k` of a run sees the same images, shuffled, cropped and mirrored the same
way, whenever and wherever it is computed. Resuming a run or repeating it needs
nothing but the seed and the number of steps done.
"""

import tensorflow as tf

# They keep the random numbers of one seed and step (or epoch) apart.
_SHUFFLE_STREAM, _CROP_STREAM, _FLIP_STREAM = range(3)


def training_batches(
    split, batch_size, seed, steps, start_step=0, padding=0, flip=False
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

    Returns:
        A `tf.data.Dataset` of `(images, labels)`: float32 of shape
        `(batch_size, height, width, channels)`, pixels as stored, and int32 of
        shape `(batch_size,)`.

    Raises:
        ValueError: If `batch_size` is not between 1 and n.
    """
    if not 1 <= batch_size <= len(split):
        raise ValueError(
            "`batch_size` must be between 1 and the number of training "
            f"examples, {len(split)}. Received: batch_size={batch_size}"
        )
    with tf.device("cpu"):
        images, labels = tf.constant(split.images), tf.constant(split.labels)

    def batch(step, indices):
        x = tf.gather(images, indices)
        if padding:
            x = _random_crop(x, padding, _key(seed, _CROP_STREAM, step))
        if flip:
            x = tf.image.stateless_random_flip_left_right(
                x, _key(seed, _FLIP_STREAM, step)
            )
        return tf.cast(x, tf.float32), tf.gather(labels, indices)

    indices = _shuffled_indices(len(split), batch_size, seed, start_step)
    numbered = tf.data.Dataset.range(start_step, steps)
    dataset = tf.data.Dataset.zip(numbered, indices)
    dataset = dataset.map(batch, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.prefetch(tf.data.AUTOTUNE)


def evaluation_batches(split, batch_size):
    """Returns all examples in their order, the last batch possibly smaller.

    Args:
        split: A `Split`.
        batch_size: Int.

    Returns:
        A `tf.data.Dataset` of `(images, labels)`, as `training_batches` gives
        them.
    """
    dataset = tf.data.Dataset.from_tensor_slices((split.images, split.labels))
    dataset = dataset.batch(batch_size)
    dataset = dataset.map(lambda x, y: (tf.cast(x, tf.float32), y))
    return dataset.prefetch(tf.data.AUTOTUNE)


def _shuffled_indices(examples, batch_size, seed, start_step):
    """The indices of each batch, from `start_step` on without end."""
    first_epoch, done = divmod(start_step, examples // batch_size)

    def permutation(epoch):
        return tf.random.experimental.stateless_shuffle(
            tf.range(examples), _key(seed, _SHUFFLE_STREAM, epoch)
        )

    epochs = tf.data.Dataset.range(first_epoch, tf.int64.max)
    batches = epochs.flat_map(
        lambda epoch: tf.data.Dataset.from_tensor_slices(
            permutation(epoch)
        ).batch(batch_size, drop_remainder=True)
    )
    return batches.skip(done)


def _key(seed, stream, number):
    return tf.random.experimental.stateless_fold_in(
        tf.constant([seed, stream], tf.int64), number
    )


def _random_crop(images, padding, seed):
    """Crops each padded image at an offset of its own."""
    shape = tf.shape(images)
    offsets = tf.random.stateless_uniform(
        (2, shape[0], 1), seed, maxval=2 * padding + 1, dtype=tf.int32
    )
    rows = offsets[0] + tf.range(shape[1])
    columns = offsets[1] + tf.range(shape[2])
    around = (padding, padding)
    padded = tf.pad(images, ((0, 0), around, around, (0, 0)))
    cropped_rows = tf.gather(padded, rows, axis=1, batch_dims=1)
    return tf.gather(cropped_rows, columns, axis=2, batch_dims=1)
