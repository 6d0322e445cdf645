"""The folder that a run leaves behind."""

import csv
import importlib.metadata
import io
import json
import pathlib
import platform
import shutil
import subprocess

import atomic_file
import command_line
import filelock
import keras
import run_report
from checkpoints import Checkpoints

import amp_keras

_PACKAGES = (
    "keras",
    "matplotlib",
    "numpy",
    "scikit-learn",
    "tensorflow",
    "tensorflow-datasets",
)


# Fields of a configuration that may differ when a run is continued.
_FREE = ("data_dir", "manual_dir", "output_dir", "verbose")
_LOCK, _CONFIG, _METRICS = ".lock", "config.json", "metrics.json"
_WRITTEN = (
    _CONFIG,
    _METRICS,
    "README.md",
    "confusion.png",
    "curves.png",
    "history.csv",
    "mistakes.png",
    "model.keras",
)


class OutputError(Exception):
    """The output folder cannot be used; the message says why."""


class RunDirectory:
    """The folder of a run, new or to be continued, locked for this process.

    Args:
        path: String, the folder. It must be new, empty, or that of a run with
            the same configuration.
        config: Dict, the configuration of the run: what JSON has, by flag.
        overwrite: Bool, whether to remove what another run has left there.
            Defaults to `False`.

    Raises:
        OutputError: If it is none of these, cannot be written, or another
            process uses it.
    """

    def __init__(self, path, config, overwrite=False):
        self.path = pathlib.Path(path)
        self._config = {**config, "backend": keras.config.backend()}
        self._made = not self.path.exists()
        self._lock = filelock.FileLock(self.path / _LOCK)
        self.checkpoints = Checkpoints(self.path / "checkpoints")
        self.tensorboard = self.path / "tensorboard"
        self._open()
        try:
            if overwrite and (self.path / _CONFIG).exists():
                self._remove_earlier_run()
            else:
                self._check_same_run()
        except OutputError:
            self.close()
            raise

    @property
    def metrics(self):
        """The measures of a run that has finished, or `None`."""
        return _read_json(self.path / _METRICS)

    def _open(self):
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(blocking=False)
        except filelock.Timeout as error:
            raise OutputError(
                "--output_dir must not be in use by another run. "
                f"Received: --output_dir={self.path}"
            ) from error
        except OSError as error:
            raise OutputError(
                f"--output_dir must be a folder that can be written. "
                f"Received: --output_dir={self.path} ({error.strerror})"
            ) from error

    def _remove_earlier_run(self):
        self.checkpoints.remove()
        shutil.rmtree(self.tensorboard, ignore_errors=True)
        for name in _WRITTEN:
            (self.path / name).unlink(missing_ok=True)

    def _check_same_run(self):
        earlier = _read_json(self.path / _CONFIG)
        if earlier is None:
            if {p.name for p in self.path.iterdir()} - {_LOCK}:
                raise OutputError(
                    "--output_dir must be new, empty or the folder of a run, "
                    "so that nothing is lost. "
                    f"Received: --output_dir={self.path}"
                )
            return
        differences = _differences(earlier, self._config)
        if differences:
            raise OutputError(
                "--output_dir must be the folder of a run with the same "
                "configuration; --overwrite removes that run. Received: "
                f"--output_dir={self.path}, where {', '.join(differences)}"
            )

    def close(self):
        """Lets other processes use the folder."""
        self._lock.release()
        (self.path / _LOCK).unlink(missing_ok=True)

    def remove_if_made(self):
        """Removes the folder of a run that came to nothing."""
        self.close()
        if self._made:
            self.path.rmdir()

    def write_config(self):
        """Writes `config.json`: every flag, the command and the versions.

        That of a run which is continued stays as it is.
        """
        if (self.path / _CONFIG).exists():
            return
        versions = {
            "python": platform.python_version(),
            "amp-keras": amp_keras.__version__,
            **{
                name: importlib.metadata.version(name)
                for name in sorted({*_PACKAGES, keras.config.backend()})
            },
        }
        config = {
            **self._config,
            "command": command_line.repeated(),
            "revision": _git_revision(),
            "versions": versions,
        }
        self._write_json(_CONFIG, config)

    def write_history(self, history):
        """Writes `history.csv`: a line for each epoch."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["epoch", *history])
        writer.writerows(
            [epoch, *values] for epoch, values in enumerate(_rows(history))
        )
        atomic_file.write_text(self.path / "history.csv", text.getvalue())

    def write_model(self, network):
        """Writes `model.keras`, the plain network, and returns its path."""
        path = self.path / "model.keras"
        with atomic_file.replacing(path) as new:
            network.save(new)
        return path

    def finish(self, metrics):
        """Writes `metrics.json`, which says that the run has finished."""
        self._write_json(_METRICS, metrics)
        self.checkpoints.remove()

    def write_picture(self, name, figure):
        """Writes a matplotlib figure as `NAME.png`."""
        figure.suptitle(self.path.name)
        with atomic_file.replacing(self.path / f"{name}.png") as new:
            figure.savefig(new, dpi=110)

    def write_page(self, metrics):
        """Writes `README.md`, what a person would want to know of the run."""
        config = _read_json(self.path / _CONFIG)
        text = run_report.page(self.path.name, config, metrics)
        atomic_file.write_text(self.path / "README.md", text)

    def _write_json(self, name, content):
        text = json.dumps(content, indent=2) + "\n"
        atomic_file.write_text(self.path / name, text)


def _git_revision():
    """The commit of this code, marked if it was changed since, or `None`."""
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=pathlib.Path(__file__).parent,
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _rows(history):
    return zip(*history.values(), strict=True)


def _read_json(path):
    return json.loads(path.read_text()) if path.exists() else None


def _differences(earlier, config):
    return [
        f"--{name} is {earlier.get(name)}, not {value}"
        for name, value in config.items()
        if name not in _FREE and earlier.get(name) != value
    ]


def default_path(path, config):
    """Returns `path`, or `path-2`, ...: the first that is free for a run.

    That of a run with the same configuration is.
    """
    config = {**config, "backend": keras.config.backend()}
    candidate, number = pathlib.Path(path), 1
    while candidate.exists():
        earlier = _read_json(candidate / _CONFIG)
        if earlier is not None and not _differences(earlier, config):
            break
        number += 1
        candidate = pathlib.Path(f"{path}-{number}")
    return candidate
