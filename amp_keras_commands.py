"""The commands, which say in one line what is not installed.

They begin here, and not in `amp_keras.cli`, because nothing in `amp_keras` can
be imported without a backend of Keras.
"""

import importlib
import pathlib
import sys

_EXIT_CODE = 2


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
