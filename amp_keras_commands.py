"""The commands, which say in one line what is not installed.

They begin here, and not in `amp_keras.cli`, because nothing in `amp_keras` can
be imported without a backend of Keras.
"""

import contextlib
import importlib
import os
import pathlib
import re
import sys
import tempfile

_EXIT_CODE = 2
# What TensorFlow logs of itself, at a level at which nothing is wrong.
_START_UP_LINE = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|"
    rb"I\d{4} .*\.cc:\d+\] |To enable the following instructions"
)


def train():
    """`amp-train`, or `apps/train.py`."""
    _import("train", "apps").run()


def compare():
    """`amp-compare`, or `apps/compare.py`."""
    _import("compare", "apps").run()


def evaluate():
    """`amp-evaluate`, or `apps/evaluate.py`."""
    _import("evaluate", "apps").run()


def predict():
    """`amp-predict`, or `apps/predict.py`."""
    _import("predict", "apps").run()


def search():
    """`amp-search`, or `tuning/search.py`."""
    _import("search", "apps,tuner").run()


def _import(command, extras):
    """Returns the module of a command, or ends with one line and exit code 2.

    Args:
        command: String, the name of a module of `amp_keras.cli`.
        extras: String, the extras that the command needs.
    """
    try:
        with _without_start_up_lines():
            return importlib.import_module(f"amp_keras.cli.{command}")
    except ModuleNotFoundError as error:
        package = (error.name or "amp_keras").partition(".")[0]
        if package == "amp_keras":
            raise
    if package in ("jax", "torch"):
        extras = f"{extras},{package}"
    name = pathlib.Path(sys.argv[0]).name
    print(
        f"{name}: needs {package}, which is not installed: "
        f'pip install "amp-keras[{extras}]"',
        file=sys.stderr,
    )
    sys.exit(_EXIT_CODE)


@contextlib.contextmanager
def _without_start_up_lines():
    """Takes them out of what is written on stderr, also by libraries in C++."""
    with tempfile.TemporaryFile() as written, _stderr_in(written):
        yield
        sys.stderr.flush()
        written.seek(0)
        kept = [s for s in written if not _START_UP_LINE.match(s)]
        written.seek(0)
        written.truncate()
        written.writelines(kept)


@contextlib.contextmanager
def _stderr_in(file):
    """Sends stderr to a file, and in the end what stands there to stderr."""
    stderr = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(stderr, 2)
        os.close(stderr)
        file.seek(0)
        os.write(2, file.read())
