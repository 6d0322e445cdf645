"""Batches as a pure function of (seed, step).

Step `k` of a run sees the same images, shuffled, cropped and mirrored the same
way, whenever and wherever it is computed. Resuming a run or repeating it needs
nothing but the seed and the number of steps done.
"""

import tensorflow as tf

# They keep the random numbers of one seed and step (or epoch) apart.
_SHUFFLE_STREAM, _CROP_STREAM, _FLIP_STREAM = range(3)


def training_batches(
    split,
    batch_size,
    seed,
    steps,
    start_step=0,
    padding=0,
    flip=False,
    shard=(0, 1),
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

    Returns:
        A `tf.data.Dataset` of `(images, labels)`: float32 of shape
        `(batch_size / count, height, width, channels)`, pixels as stored, and
        int32 of shape `(batch_size / count,)`.

    Raises:
        ValueError: If `batch_size` is not between 1 and n, or not a multiple
            of `count`.
    """
    _check_divisible("batch_size", batch_size, shard)
    if not 1 <= batch_size <= len(split):
        raise ValueError(
            "`batch_size` must be between 1 and the number of training "
            f"examples, {len(split)}. Received: batch_size={batch_size}"
        )
    with tf.device("cpu"):
        images, labels = tf.constant(split.images), tf.constant(split.labels)

    def batch(step, indices):
        indices = _part(indices, shard)
        x = tf.gather(images, indices)
        if padding:
            key = _key(seed, _CROP_STREAM, step)
            offsets = tf.random.stateless_uniform(
                (2, batch_size, 1), key, maxval=2 * padding + 1, dtype=tf.int32
            )
            top, left = (_part(o, shard) for o in tf.unstack(offsets))
            x = _crop(x, padding, top, left)
        if flip:
            key = _key(seed, _FLIP_STREAM, step)
            flipped = tf.random.stateless_uniform((batch_size, 1, 1, 1), key)
            flipped = _part(flipped > 0.5, shard)
            x = tf.where(flipped, tf.reverse(x, axis=[2]), x)
        return tf.cast(x, tf.float32), tf.gather(labels, indices)

    indices = _shuffled_indices(len(split), batch_size, seed, start_step)
    numbered = tf.data.Dataset.range(start_step, steps)
    dataset = tf.data.Dataset.zip(numbered, indices)
    dataset = dataset.map(batch, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.prefetch(tf.data.AUTOTUNE)


def evaluation_batches(split, batch_size, shard=(0, 1)):
    """Returns all examples in their order, the last batch possibly smaller.

    Args:
        split: A `Split`.
        batch_size: Int.
        shard: As in `training_batches`; n must then be a multiple of `count`,
            too. Defaults to `(0, 1)`.

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
    dataset = dataset.map(
        lambda x, y: (tf.cast(_part(x, shard), tf.float32), _part(y, shard))
    )
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


def _check_divisible(name, value, shard):
    _, count = shard
    if value % count:
        raise ValueError(
            f"`{name}` must be a multiple of the number of shards, {count}. "
            f"Received: {name}={value}"
        )


def _part(batch, shard):
    index, count = shard
    size = tf.shape(batch)[0] // count
    return batch[index * size : (index + 1) * size]


def _crop(images, padding, top, left):
    """Crops each padded image at an offset of its own."""
    shape = tf.shape(images)
    rows = top + tf.range(shape[1])
    columns = left + tf.range(shape[2])
    around = (padding, padding)
    padded = tf.pad(images, ((0, 0), around, around, (0, 0)))
    cropped_rows = tf.gather(padded, rows, axis=1, batch_dims=1)
    return tf.gather(cropped_rows, columns, axis=2, batch_dims=1)
