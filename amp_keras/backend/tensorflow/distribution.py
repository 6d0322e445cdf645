"""Replicas of a model on the devices of one machine, with TensorFlow."""

import functools

import tensorflow as tf


class Mirrored:
    """All GPUs of this machine, or its logical CPUs if it has no GPU."""

    num_processes, process_id = 1, 0

    def __init__(self):
        self._strategy = _mirrored_strategy()

    @property
    def num_replicas(self):
        return self._strategy.num_replicas_in_sync

    def scope(self):
        return self._strategy.scope()

    def check_equal(self, step):
        """There is one process."""

    def of_first_process(self, number):
        """There is one process."""
        return number


def has_gpu():
    return bool(tf.config.list_physical_devices("GPU"))


def num_devices():
    """Returns the number of GPUs, or 1: replicas on one CPU save no time."""
    return max(1, len(tf.config.list_logical_devices("GPU")))


@functools.cache
def _mirrored_strategy():
    """There is one in a process.

    The collectives of a second one would be taken for those of the first,
    which fails as soon as the sizes of their models differ.
    """
    return tf.distribute.MirroredStrategy(_devices())


def _devices():
    devices = tf.config.list_logical_devices
    return [d.name for d in devices("GPU") or devices("CPU")]
