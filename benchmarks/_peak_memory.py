"""The most memory that a process has held, on Linux."""

import os
import pathlib
import re
import subprocess
import sys

from amp_keras import errors

_STATUS = pathlib.Path("/proc/self/status")
# The GNU C library keeps what a program frees, in pieces that the next request
# may not fit into; beyond these sizes, in bytes, it gives it back at once.
_GIVING_BACK = {
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "MALLOC_TRIM_THRESHOLD_": "65536",
}


def check():
    """Raises an `AMPKerasError` where it cannot be measured."""
    if not _STATUS.exists():
        raise errors.AMPKerasError(
            f"`--memory` must have {_STATUS}, which is of Linux. "
            f"Received: {sys.platform}"
        )


def own_mib():
    """Returns the MiB of memory that this process has held at most.

    `ru_maxrss` would not do: it begins with that of the process that started
    this one.
    """
    return int(re.search(r"VmHWM:\s*(\d+) kB", _STATUS.read_text())[1]) / 1024


def mib_of(script, arguments):
    """Runs a script and returns the MiB that it prints in its last line."""
    result = subprocess.run(
        [sys.executable, script, *arguments],
        env={**os.environ, **_GIVING_BACK},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(result.stdout.splitlines()[-1])
