"""Running a script on each backend, in processes of their own."""

import os
import subprocess
import sys

NAMES = ("tensorflow", "jax", "torch")


def lines(script, backend, **environment):
    """Returns what `python SCRIPT measure` prints on a backend, by lines."""
    output = subprocess.run(
        [sys.executable, script, "measure"],
        env={**os.environ, **environment, "KERAS_BACKEND": backend},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout
    return output.splitlines()
