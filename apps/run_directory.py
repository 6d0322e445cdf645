"""The folder that a run leaves behind."""

import importlib.metadata
import json
import pathlib
import platform
import shlex
import sys

import keras
import matplotlib.figure
from matplotlib import ticker

import amp_keras

_PACKAGES = (
    "keras",
    "matplotlib",
    "numpy",
    "scikit-learn",
    "tensorflow",
    "tensorflow-datasets",
)


class OutputError(Exception):
    """The output folder cannot be used; the message says why."""


class RunDirectory:
    """Creates a run's folder and writes its files.

    Args:
        path: String, the folder. It must be new or empty.

    Raises:
        OutputError: If it holds something or cannot be written.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self._made = not self.path.exists()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            taken = any(self.path.iterdir())
            probe = self.path / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise OutputError(
                f"--output_dir must be a folder that can be written. "
                f"Received: --output_dir={path} ({error.strerror})"
            ) from error
        if taken:
            raise OutputError(
                "--output_dir must be new or empty, so that no earlier run is "
                f"lost. Received: --output_dir={path}"
            )

    def remove_if_made(self):
        """Removes the folder of a run that came to nothing."""
        if self._made:
            self.path.rmdir()

    def write_config(self, flags):
        """Writes `config.json`: every flag, the command and the versions."""
        versions = {
            "python": platform.python_version(),
            "amp-keras": amp_keras.__version__,
            **{
                name: importlib.metadata.version(name)
                for name in sorted({*_PACKAGES, keras.config.backend()})
            },
        }
        command = shlex.join(["python", *sys.argv])
        config = {
            **flags,
            "backend": keras.config.backend(),
            "command": command,
            "versions": versions,
        }
        self._write_json("config.json", config)

    def write_metrics(self, metrics):
        """Writes `metrics.json`."""
        self._write_json("metrics.json", metrics)

    def write_curves(self, history, metrics):
        """Draws `curves.png`: loss and accuracy by epoch, and on the test set.

        Training values are averages over an epoch, during which the weights
        changed and images were augmented.
        """
        figure = matplotlib.figure.Figure(figsize=(10, 4), layout="constrained")
        figure.suptitle(self.path.name)
        for axes, measure in zip(figure.subplots(1, 2), ("loss", "accuracy")):
            _draw_curve(axes, history, measure, metrics[f"test_{measure}"])
        figure.savefig(self.path / "curves.png", dpi=120)

    def _write_json(self, name, content):
        text = json.dumps(content, indent=2) + "\n"
        (self.path / name).write_text(text)


def _draw_curve(axes, history, measure, test_value):
    for key, label in ((measure, "training"), (f"val_{measure}", "validation")):
        if key in history:
            epochs = range(1, len(history[key]) + 1)
            axes.plot(epochs, history[key], marker=".", label=label)
    axes.axhline(test_value, color="gray", linestyle="--", label="test, at end")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    axes.set_ylabel(measure)
    if measure == "loss" and max(history["loss"]) > 10 * min(history["loss"]):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    axes.grid(alpha=0.3)
    axes.legend()


def next_free(path):
    """Returns `path`, or `path-2`, `path-3`, ...: the first that is free."""
    candidate, number = pathlib.Path(path), 1
    while candidate.exists():
        number += 1
        candidate = pathlib.Path(f"{path}-{number}")
    return candidate
