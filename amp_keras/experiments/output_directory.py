"""The folder that a command writes to, new or to be gone on with."""

import contextlib
import csv
import importlib.metadata
import io
import json
import os
import pathlib
import platform
import shutil
import subprocess

import filelock
import keras

from amp_keras import __version__
from amp_keras import atomic_file
from amp_keras.errors import AMPKerasError
from amp_keras.experiments import command
from amp_keras.experiments import json_file

_LOCK, _CONFIG = ".lock", "config.json"
_KINDS_OF_CONFIG = {"backend": str, "command": str, "versions": dict}
_PACKAGES = (
    "keras",
    "matplotlib",
    "numpy",
    "scikit-learn",
    "tensorflow",
    "tensorflow-datasets",
)


class FolderInUseError(AMPKerasError):
    """Another process uses the output folder."""


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
        AMPKerasError: If it is none of these, cannot be written, or another
            process uses it.
    """

    # Flags that may differ when a command goes on, the values of flags that
    # an earlier version had not, and the names of what a command writes.
    free = ()
    defaults = {}
    written = ()
    # What is compared and is no flag, as a person reads it.
    titles = {"model_sha256": "the SHA-256 of the file of --model"}

    def __init__(self, path, config, overwrite=False, shared=False):
        self.path = pathlib.Path(path)
        self._config = _as_stored(config)
        self._made = [
            path
            for path in (self.path, *self.path.parents)
            if not os.path.exists(path)
        ]
        self._lock = filelock.FileLock(self.path / _LOCK)
        self._open(shared)
        try:
            exists = (self.path / _CONFIG).exists()
            self._begins = overwrite or not exists
            if overwrite and exists:
                # The configuration stays until another takes its place: as
                # long as there is one, the folder can be used.
                self._remove(self.written)
                if (self.path / _CONFIG).is_dir():
                    self._remove((_CONFIG,))
            else:
                self._check_same()
            if not shared:
                self._remove_leftovers()
        except AMPKerasError:
            self.close()
            raise

    def close(self):
        """Lets other processes use the folder."""
        if self._lock.is_locked:
            if os.name == "posix":
                # Once it is released the file may be another process'.
                (self.path / _LOCK).unlink(missing_ok=True)
            self._lock.release()

    def discard(self):
        """Removes what this command has left, and folders that are new.

        What an earlier command has left stays.
        """
        if self._begins:
            self._remove((*self.written, _CONFIG))
        self.close()
        for path in self._made:
            with contextlib.suppress(OSError):
                path.rmdir()

    @property
    def versions(self):
        """Those that `config.json` has, a dict of strings."""
        return self._read_json(_CONFIG)["versions"]

    def write_config(self, **facts):
        """Writes `config.json`: every flag, the command and the versions.

        If the command goes on with an earlier one, that of it stays.

        Args:
            facts: What else a person may want to find there.
        """
        if self._begins:
            self._write_json(
                _CONFIG,
                {
                    **self._config,
                    **facts,
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
            raise FolderInUseError(
                "--output_dir must not be in use by another process. "
                f"Received: --output_dir={self.path}"
            ) from error
        except OSError as error:
            raise AMPKerasError(
                f"--output_dir must be a folder that can be written. "
                f"Received: --output_dir={self.path} ({error.strerror})"
            ) from error

    def _remove(self, names):
        for name in names:
            path = self.path / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _remove_leftovers(self):
        """Removes what a command left that was killed."""
        for name in (_CONFIG, *self.written):
            atomic_file.remove_unfinished(self.path / name)

    def _check_same(self):
        earlier = _read_config(self.path)
        if earlier is None:
            if not _is_empty(self.path):
                raise AMPKerasError(
                    "--output_dir must be new, empty or one to go on with, so "
                    f"that nothing is lost. Received: --output_dir={self.path}"
                )
            return
        differences = self._differences(earlier, self._config)
        if differences:
            raise AMPKerasError(
                "--output_dir must be one with the same configuration; "
                "--overwrite removes what is there. Received: "
                f"--output_dir={self.path}, where {', '.join(differences)}"
            )

    @classmethod
    def first_free(cls, path, config):
        """Returns `path`, `path-2`, ...: the first to begin or go on in."""
        candidate, number = pathlib.Path(path), 1
        while candidate.exists() and not _is_abandoned(candidate):
            earlier = _read_config(candidate)
            if earlier is not None:
                if not cls._differences(earlier, _as_stored(config)):
                    break
            number += 1
            candidate = pathlib.Path(f"{path}-{number}")
        return candidate

    @classmethod
    def _differences(cls, earlier, config):
        earlier = {**cls.defaults, **earlier}
        return [
            f"{cls.titles.get(name, f'--{name}')} is {earlier.get(name)}, "
            f"not {value}"
            for name, value in config.items()
            if name not in cls.free and earlier.get(name) != value
        ]

    def _read_json(self, name, kinds=None):
        return _read_json(self.path / name, kinds)

    def _write_json(self, name, content):
        self._write_text(name, json.dumps(content, indent=2) + "\n")

    def _write_csv(self, name, rows):
        """Writes rows, dicts of the same keys."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self._write_text(name, text.getvalue())

    def _write_text(self, name, text):
        with self._writing(name) as new:
            new.write_text(text)

    @contextlib.contextmanager
    def _writing(self, name):
        """Yields a path to write to, whose file becomes that of the name."""
        path = self.path / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file.replacing(path) as new:
                yield new
        except OSError as error:
            raise AMPKerasError(
                f"{path} cannot be written ({error.strerror or error}); when "
                "it can be, the same command goes on"
            ) from error


def _as_stored(config):
    """The configuration as it is read back from JSON, with the backend."""
    stored = json.loads(json.dumps(config))
    return {**stored, "backend": keras.config.backend()}


def _read_config(folder):
    return _read_json(folder / _CONFIG, _KINDS_OF_CONFIG)


def _read_json(path, kinds=None):
    try:
        return json_file.read_object(path, kinds)
    except AMPKerasError as error:
        raise AMPKerasError(
            f"{error}: put back the file that was there, or begin anew with "
            "--overwrite"
        ) from error


def _is_empty(folder):
    """Whether it holds nothing, or what is left of beginning to write there."""
    return folder.is_dir() and all(
        path.name == _LOCK or atomic_file.is_unfinished(path, (_CONFIG,))
        for path in folder.iterdir()
    )


def _is_abandoned(folder):
    """Whether it is empty and no other process is about to write there."""
    if not _is_empty(folder):
        return False
    try:
        with filelock.FileLock(folder / _LOCK, blocking=False):
            return True
    except filelock.Timeout:
        return False


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
