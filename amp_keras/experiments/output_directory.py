"""The folder that a command writes to, new or to be gone on with."""

import importlib.metadata
import json
import pathlib
import platform
import shutil
import subprocess

import filelock
import keras

from amp_keras import __version__
from amp_keras.experiments import atomic_file
from amp_keras.experiments import command

_LOCK, _CONFIG = ".lock", "config.json"
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


class OutputDirectory:
    """Opens a folder and, unless it is shared, locks it for this process.

    Args:
        path: String, the folder. It must be new, empty, or one in which the
            same command was begun with the same configuration.
        config: Dict, the configuration: what JSON has, by flag.
        overwrite: Bool, whether to remove what an earlier command has left
            there. Defaults to `False`.
        shared: Bool, whether other processes may use it. Defaults to `False`.

    Raises:
        OutputError: If it is none of these, cannot be written, or another
            process uses it.
    """

    # Flags that may differ when a command goes on, and the names of what it
    # writes.
    free = ()
    written = ()

    def __init__(self, path, config, overwrite=False, shared=False):
        self.path = pathlib.Path(path)
        self._config = _as_stored(config)
        self._made = not self.path.exists()
        self._lock = filelock.FileLock(self.path / _LOCK)
        self._open(shared)
        try:
            if overwrite and (self.path / _CONFIG).exists():
                self._remove_written()
            else:
                self._check_same()
        except OutputError:
            self.close()
            raise

    def close(self):
        """Lets other processes use the folder."""
        if self._lock.is_locked:
            self._lock.release()
            (self.path / _LOCK).unlink(missing_ok=True)

    def discard(self):
        """Removes what the command has left, and the folder if it is new."""
        self._remove_written()
        self.close()
        if self._made:
            self.path.rmdir()

    def write_config(self):
        """Writes `config.json`: every flag, the command and the versions.

        If the command goes on with an earlier one, that of it stays.
        """
        if not (self.path / _CONFIG).exists():
            self._write_json(
                _CONFIG,
                {
                    **self._config,
                    "command": command.repeated(),
                    "revision": _git_revision(),
                    "versions": _versions(),
                },
            )

    def _open(self, shared):
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not shared:
                self._lock.acquire(blocking=False)
        except filelock.Timeout as error:
            raise OutputError(
                "--output_dir must not be in use by another process. "
                f"Received: --output_dir={self.path}"
            ) from error
        except OSError as error:
            raise OutputError(
                f"--output_dir must be a folder that can be written. "
                f"Received: --output_dir={self.path} ({error.strerror})"
            ) from error

    def _remove_written(self):
        for name in (_CONFIG, *self.written):
            path = self.path / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _check_same(self):
        earlier = self._read_json(_CONFIG)
        if earlier is None:
            if {p.name for p in self.path.iterdir()} - {_LOCK}:
                raise OutputError(
                    "--output_dir must be new, empty or one to go on with, so "
                    f"that nothing is lost. Received: --output_dir={self.path}"
                )
            return
        differences = self._differences(earlier, self._config)
        if differences:
            raise OutputError(
                "--output_dir must be one with the same configuration; "
                "--overwrite removes what is there. Received: "
                f"--output_dir={self.path}, where {', '.join(differences)}"
            )

    @classmethod
    def first_free(cls, path, config):
        """Returns `path`, `path-2`, ...: the first to begin or go on in."""
        candidate, number = pathlib.Path(path), 1
        while candidate.exists():
            earlier = _read_json(candidate / _CONFIG)
            if earlier is not None:
                if not cls._differences(earlier, _as_stored(config)):
                    break
            number += 1
            candidate = pathlib.Path(f"{path}-{number}")
        return candidate

    @classmethod
    def _differences(cls, earlier, config):
        return [
            f"--{name} is {earlier.get(name)}, not {value}"
            for name, value in config.items()
            if name not in cls.free and earlier.get(name) != value
        ]

    def _read_json(self, name):
        return _read_json(self.path / name)

    def _write_json(self, name, content):
        text = json.dumps(content, indent=2) + "\n"
        atomic_file.write_text(self.path / name, text)


def _as_stored(config):
    """The configuration as it is read back from JSON, with the backend."""
    stored = json.loads(json.dumps(config))
    return {**stored, "backend": keras.config.backend()}


def _read_json(path):
    return json.loads(path.read_text()) if path.exists() else None


def _versions():
    return {
        "python": platform.python_version(),
        "amp-keras": __version__,
        **{
            name: importlib.metadata.version(name)
            for name in sorted({*_PACKAGES, keras.config.backend()})
        },
    }


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
