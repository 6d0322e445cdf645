"""Whatever a line says and whatever a file holds, a command answers."""

import os
import sys

import every_backend
import fuzz
import keras
import pytest

SLOW_ON_OTHERS = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="The same on every backend."
)


@SLOW_ON_OTHERS
@pytest.mark.parametrize("command", ["train", "search"])
def test_odd_command_lines_are_answered(command):
    lines = every_backend.lines(
        fuzz.__file__,
        "tensorflow",
        *(command, "12", "0"),
        PYTHONPATH=os.pathsep.join(sys.path),
    )
    assert not lines
