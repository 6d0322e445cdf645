"""The command line that a run was started with."""

import shlex
import sys

import keras


def repeated():
    """Returns the command line that runs this command again."""
    return of(*sys.argv)


def of(script, *arguments):
    """Returns a command line with the backend of this process.

    Args:
        script: String, a Python file.
        arguments: Strings.
    """
    backend = f"KERAS_BACKEND={keras.config.backend()}"
    return f"{backend} {shlex.join(['python', script, *arguments])}"
