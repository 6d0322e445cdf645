"""A search shared by several processes, by keras-tuner's own protocol."""

import os
import socket
import time

from amp_keras.errors import AMPKerasError

ALONE, CHIEF, WORKER = "alone", "chief", "worker"

_ID = "KERASTUNER_TUNER_ID"
_IP = "KERASTUNER_ORACLE_IP"
_PORT = "KERASTUNER_ORACLE_PORT"
_WAIT_SECONDS = 300


def initialize(chief, worker):
    """Sets keras-tuner's environment variables from the flags.

    Args:
        chief: String `HOST:PORT`, or `None`: the variables stand as they are.
        worker: Int, the number of the worker, or `None`: this is the chief.

    Returns:
        `ALONE`, `CHIEF` or `WORKER`.

    Raises:
        AMPKerasError: If something is missing or malformed.
    """
    if chief:
        host, _, port = chief.rpartition(":")
        if not host or not port.isdecimal():
            raise AMPKerasError(
                f"--chief must be HOST:PORT. Received: --chief={chief}"
            )
        name = "chief" if worker is None else f"worker{worker}"
        os.environ.update({_IP: host, _PORT: port, _ID: name})
    elif worker is not None:
        raise AMPKerasError(
            f"--worker needs --chief=HOST:PORT. Received: --worker={worker}"
        )
    if _IP not in os.environ:
        return ALONE
    for name in (_PORT, _ID):
        if name not in os.environ:
            raise AMPKerasError(f"{_IP} is set, and {name} must be too")
    return CHIEF if "chief" in os.environ[_ID] else WORKER


def wait_for_chief():
    """Returns once the chief can be reached.

    Raises:
        AMPKerasError: If that takes too long.
    """
    address = os.environ[_IP], int(os.environ[_PORT])
    end = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < end:
        try:
            socket.create_connection(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.5)
    raise AMPKerasError(
        f"--chief must be reachable: {address[0]}:{address[1]} was not for "
        f"{_WAIT_SECONDS} s"
    )
