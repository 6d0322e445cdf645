"""How a run is spread over devices, processes and machines."""

import contextlib
import importlib
import os

import keras

from amp_keras.errors import AMPKerasError

NAMES = ("auto", "none", "mirrored", "data_parallel")

_BACKEND_OF = {"mirrored": "tensorflow", "data_parallel": "jax"}


class SingleDevice:
    """The device that Keras takes by itself."""

    num_processes, process_id, num_replicas = 1, 0, 1

    def scope(self):
        return contextlib.nullcontext()

    def check_equal(self, step):
        """Raises if the processes do not go on from the same step."""

    def of_first_process(self, number):
        """Returns the number that process 0 gives; all processes call it."""
        return number


def initialize(coordinator_address=None, num_processes=None, process_id=None):
    """Joins the other processes of the run, if it has any.

    Arguments that are `None` are taken from the environment variables
    `KERAS_DISTRIBUTION_JOB_ADDRESSES`, `..._NUM_PROCESSES` and
    `..._PROCESS_ID`. It must come before any computation.

    Returns:
        Whether the run is one of several processes.

    Raises:
        AMPKerasError: If the backend is not JAX, or the processes cannot
            be joined.
    """
    given = (coordinator_address, num_processes, process_id)
    environment = any(
        name.startswith("KERAS_DISTRIBUTION_") for name in os.environ
    )
    if all(value is None for value in given) and not environment:
        return False
    _check_backend("several processes", "jax")
    try:
        keras.distribution.initialize(*given)
    except (RuntimeError, ValueError) as error:
        raise AMPKerasError(
            "the processes could not be joined; --coordinator_address, "
            "--num_processes and --process_id must be given together. "
            f"Received: {given} ({error})"
        ) from error
    return True


def check_gpu():
    """Raises an `AMPKerasError` if the backend sees no GPU."""
    backend = keras.config.backend()
    module = importlib.import_module(
        f"amp_keras.backend.{backend}.distribution"
    )
    if not module.has_gpu():
        raise AMPKerasError(
            f"--require_gpu: {backend} sees no GPU. Is its CUDA build "
            "installed, and does nvidia-smi show one?"
        )


def create(name, multi_process=False):
    """Returns the devices to train on.

    Args:
        name: String, `"none"`; `"mirrored"`, the devices of this machine with
            TensorFlow; `"data_parallel"`, all devices of all processes with
            JAX; or `"auto"`, the one that uses all devices.
        multi_process: Boolean, whether the run has several.

    Returns:
        An object with `num_replicas`, `num_processes`, `process_id`, a context
        manager `scope()`, in which the model is made and trained,
        `check_equal()` and `of_first_process()`, as `SingleDevice` has them.

    Raises:
        AMPKerasError: If the backend does not have it, or it has no place
            for several processes.
    """
    if name == "auto":
        name = "data_parallel" if multi_process else _automatic()
    if name == "none":
        if multi_process:
            raise AMPKerasError(
                "--distribution must be auto or data_parallel for several "
                "processes. Received: --distribution=none"
            )
        return SingleDevice()
    _check_backend(f"--distribution={name}", _BACKEND_OF[name])
    if name == "mirrored":
        from amp_keras.backend.tensorflow.distribution import Mirrored

        return Mirrored()
    from amp_keras.backend.jax.distribution import DataParallel

    return DataParallel()


def _automatic():
    backend = keras.config.backend()
    if backend == "tensorflow":
        from amp_keras.backend.tensorflow.distribution import num_devices

        return "mirrored" if num_devices() > 1 else "none"
    if backend == "jax":
        from amp_keras.backend.jax.distribution import num_devices

        return "data_parallel" if num_devices() > 1 else "none"
    return "none"


def _check_backend(what, backend):
    if keras.config.backend() != backend:
        raise AMPKerasError(
            f"{what} needs the environment variable KERAS_BACKEND={backend}. "
            f"Received: KERAS_BACKEND={keras.config.backend()}"
        )
