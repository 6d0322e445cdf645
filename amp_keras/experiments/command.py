"""The command line that a run was started with."""

import shlex
import sys

import keras


def repeated():
    """Returns the command line that runs this command again."""
    backend = f"KERAS_BACKEND={keras.config.backend()}"
    return f"{backend} {shlex.join(['python', *sys.argv])}"
