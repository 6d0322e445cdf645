"""Replicas of a model on all devices of all processes, with JAX."""

import jax
import keras
from jax.experimental import multihost_utils


class DataParallel:
    """All devices of the type that JAX prefers.

    Each process is to feed its own part of every batch.
    """

    def __init__(self):
        self._distribution = keras.distribution.DataParallel(
            auto_shard_dataset=False
        )

    @property
    def num_processes(self):
        return jax.process_count()

    @property
    def process_id(self):
        return jax.process_index()

    @property
    def num_replicas(self):
        return jax.device_count()

    def scope(self):
        return self._distribution.scope()

    def check_equal(self, step):
        """Raises a `ValueError` if the processes are not at the same step."""
        try:
            multihost_utils.assert_equal(step)
        except AssertionError as error:
            raise ValueError(
                "The processes must go on from the same step, so "
                "`--output_dir` must be a folder that they share. "
                f"Received: step={step!r} in process {self.process_id}"
            ) from error

    def of_first_process(self, number):
        """Returns the number that process 0 gives; all processes call it."""
        return multihost_utils.broadcast_one_to_all(number).item()


def has_gpu():
    return any(device.platform == "gpu" for device in jax.devices())


def num_devices():
    return jax.device_count()
