"""Replicas of a model on the devices of one machine, with TensorFlow."""

import tensorflow as tf


class Mirrored:
    """All GPUs of this machine, or its logical CPUs if it has no GPU."""

    num_processes, process_id = 1, 0

    def __init__(self):
        self._strategy = tf.distribute.MirroredStrategy(_devices())

    @property
    def num_replicas(self):
        return self._strategy.num_replicas_in_sync

    def scope(self):
        return self._strategy.scope()

    def check_equal(self, step):
        """There is one process."""


def num_devices():
    """Returns the number of GPUs, or 1: replicas on one CPU save no time."""
    return max(1, len(tf.config.list_logical_devices("GPU")))


def _devices():
    devices = tf.config.list_logical_devices
    return [d.name for d in devices("GPU") or devices("CPU")]
