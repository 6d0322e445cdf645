"""Random numbers as a pure function of seed, purpose and step."""

import tensorflow as tf

# They keep the random numbers of one seed and step (or epoch) apart.
SHUFFLE, CROP, FLIP, CUTOUT, RANDAUGMENT, MIX = range(6)


def key(seed, stream, number):
    """Returns the key of TensorFlow's stateless random functions.

    Args:
        seed: Int.
        stream: One of the constants above.
        number: Int, a step or an epoch.
    """
    return tf.random.experimental.stateless_fold_in(
        tf.constant([seed, stream], tf.int64), number
    )


def part(values, shard, axis=0):
    """Returns the part `index` of `count` equal ones along an axis."""
    index, count = shard
    size = tf.shape(values)[axis] // count
    return tf.gather(values, index * size + tf.range(size), axis=axis)


class RandomNumbers:
    """The random numbers of one step.

    They are drawn for all images of the batch, and those of a shard taken from
    them, so that shards see what the whole batch sees.

    Args:
        seed: Int.
        step: Int.
        batch_size: Int, the images of the whole batch.
        shard: Tuple `(index, count)`.
    """

    def __init__(self, seed, step, batch_size, shard):
        self.seed = seed
        self.step = step
        self.batch_size = batch_size
        self.shard = shard

    def key(self, stream):
        return key(self.seed, stream, self.step)

    def per_image(self, stream, numbers, **uniform):
        """Returns tensors `(images,)`, as many as `numbers`.

        Args:
            stream: One of the constants of this file.
            numbers: Int, how many numbers each image gets.
            uniform: `maxval` and `dtype`, as in `tf.random.stateless_uniform`.
        """
        values = tf.random.stateless_uniform(
            (numbers, self.batch_size), self.key(stream), **uniform
        )
        return tf.unstack(part(values, self.shard, axis=1))
