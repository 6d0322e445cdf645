"""`apps/train.py` in one process and in two, and how far they differ.

ResNet-20 on digits; the two talk over the loopback interface.
"""

import contextlib
import os
import pathlib
import socket
import subprocess
import sys

import keras
import numpy as np

APP = pathlib.Path(__file__).parents[2] / "apps" / "train.py"

# A learning rate at which rounding errors do not grow from step to step.
ARGUMENTS = (
    "--dataset=digits",
    "--model=resnet20",
    "--epochs=2",
    "--train_examples=128",
    "--batch_size=64",
    "--learning_rate=0.0001",
    "--warmup_epochs=0",
    "--validation_split=0.1",
    "--epsilon=0.05",
    "--verbose=0",
)
# These runs take longer to compile than to compute.
_UNOPTIMIZED = "--xla_backend_optimization_level=0"
TWO_DEVICES = f"--xla_force_host_platform_device_count=2 {_UNOPTIMIZED}"


def start(*arguments, **environment):
    """Starts `python apps/train.py`; by default on a single device."""
    environment = {"XLA_FLAGS": _UNOPTIMIZED, **environment}
    return subprocess.Popen(
        [sys.executable, APP, *ARGUMENTS, *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    """Waits for a process and returns what it printed.

    Raises:
        RuntimeError: If it failed.
    """
    output, errors = process.communicate(timeout=600)
    if process.returncode:
        raise RuntimeError(errors)
    return output


def start_two_processes(run, *arguments):
    """Starts the first by flags, the second by the environment."""
    address = f"localhost:{_free_port()}"
    return [
        start(
            *arguments,
            f"--output_dir={run}",
            f"--coordinator_address={address}",
            "--num_processes=2",
            "--process_id=0",
        ),
        start(
            *arguments,
            f"--output_dir={run}",
            KERAS_DISTRIBUTION_JOB_ADDRESSES=address,
            KERAS_DISTRIBUTION_NUM_PROCESSES="2",
            KERAS_DISTRIBUTION_PROCESS_ID="1",
        ),
    ]


def run_two_processes(run, *arguments):
    """Returns what the two print; none is left when one fails."""
    started = start_two_processes(run, *arguments)
    try:
        return [finish(process) for process in started]
    finally:
        for process in started:
            process.kill()


def weights(run):
    return keras.models.load_model(run / "model.keras").get_weights()


def largest_difference(run, other):
    pairs = zip(weights(run), weights(other), strict=True)
    return max(float(np.max(np.abs(a - b))) for a, b in pairs)


def _free_port():
    with contextlib.closing(socket.socket()) as server:
        server.bind(("localhost", 0))
        return server.getsockname()[1]
