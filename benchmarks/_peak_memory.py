"""The most memory that a process has held, on Linux."""

import pathlib
import re
import subprocess
import sys

from amp_keras import errors

_STATUS = pathlib.Path("/proc/self/status")


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
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(result.stdout.splitlines()[-1])
