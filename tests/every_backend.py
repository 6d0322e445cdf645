"""Running a script on each backend, in processes of their own."""

import os
import subprocess
import sys

NAMES = ("tensorflow", "jax", "torch")


def lines(script, backend, *arguments, **environment):
    """Returns the lines that a script prints on a backend."""
    output = subprocess.run(
        [sys.executable, script, *arguments],
        env={**os.environ, **environment, "KERAS_BACKEND": backend},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout
    return output.splitlines()
