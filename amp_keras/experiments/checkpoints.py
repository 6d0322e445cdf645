"""The checkpoints of a run, as files."""

import hashlib
import json
import pathlib
import re
import shutil

import numpy as np

from amp_keras import atomic_file
from amp_keras.errors import AMPKerasError

_KEPT = 2
_NAME = re.compile(r"step-(\d+)\.checkpoint")
_NAME_OF_FORMAT_1 = re.compile(r"step-(\d+)\.npz")
_FORMAT = b"amp_keras checkpoint, format 2\n"
_PROGRESS = "progress"


class Checkpoints:
    """Writes the checkpoints of a run to a folder and keeps the last two.

    Each is one file: the SHA-256 digest of all that follows in a first line,
    the name of the format in a second one, and the arrays as `numpy.savez`
    writes them. Nothing is made of a file whose digest is another one.

    Args:
        folder: Path of the folder. It need not exist.
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self._damaged = []

    def save(self, step, arrays, progress):
        """Writes the checkpoint of a step, and removes old ones after it.

        Args:
            step: Int, the number of steps that are done.
            arrays: Dict of arrays by their addresses.
            progress: Dict, what else belongs to it, of what JSON has.

        Raises:
            AMPKerasError: If it cannot be written. Those before it stay.
        """
        path = self.folder / f"step-{step}.checkpoint"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_file.replacing(path) as new:
                _write(new, arrays, progress)
            self._remove_old(path)
        except OSError as error:
            raise AMPKerasError(
                f"the checkpoint {path} cannot be written ({error.strerror})"
                f"{'; those before it are kept' if self.exist() else ''}"
            ) from error

    def load_latest(self, report=print):
        """Reads the latest checkpoint that is whole.

        Args:
            report: Function of a string, told of each one that is damaged.

        Returns:
            A tuple `(arrays, progress)`, or `None` if there is none.

        Raises:
            AMPKerasError: If another version of amp_keras wrote it.
        """
        for path in self.paths():
            try:
                return _read(path)
            except _DamagedError as error:
                self._damaged.append(path)
                report(f"{path} is damaged ({error}): the one before it counts")
        for path in self._paths(_NAME_OF_FORMAT_1):
            raise AMPKerasError(_other_version(path))
        return None

    def paths(self):
        """Returns the paths of those that can be read, the latest first."""
        return self._paths(_NAME)

    def exist(self):
        """Returns whether there is one, be it of another version."""
        return bool(self.paths() or self._paths(_NAME_OF_FORMAT_1))

    def remove(self):
        """Removes them all."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _remove_old(self, latest):
        for path in self._damaged:
            if path != latest:
                path.unlink(missing_ok=True)
        self._damaged = []
        for path in self.paths()[_KEPT:]:
            path.unlink()

    def _paths(self, name):
        if not self.folder.is_dir():
            return []
        files = [p for p in self.folder.iterdir() if name.fullmatch(p.name)]
        return sorted(
            files, key=lambda p: int(name.fullmatch(p.name)[1]), reverse=True
        )


class ReadOnlyCheckpoints(Checkpoints):
    """Those that another process writes."""

    def save(self, step, arrays, progress):
        """Leaves it to that process."""


class _DamagedError(Exception):
    """A file is not what was written."""


def _write(path, arrays, progress):
    members = {
        **arrays,
        _PROGRESS: np.frombuffer(json.dumps(progress).encode(), "u1"),
    }
    with open(path, "wb+") as file:
        file.write(_first_line(b""))
        file.write(_FORMAT)
        np.savez(file, **members)
        digest = _digest(file)
        file.seek(0)
        file.write(_first_line(digest))


def _read(path):
    try:
        with open(path, "rb") as file:
            _check_digest(file)
            if file.readline() != _FORMAT:
                raise AMPKerasError(_other_version(path))
            with np.load(file, allow_pickle=False) as members:
                arrays = dict(members)
    except OSError as error:
        raise _DamagedError(error.strerror) from error
    return arrays, json.loads(arrays.pop(_PROGRESS).tobytes())


def _check_digest(file):
    """Leaves the file at its second line."""
    first_line = file.read(len(_first_line(b"")))
    if first_line != _first_line(_digest(file)):
        raise _DamagedError("its SHA-256 digest is another one")


def _digest(file):
    """Returns that of all that follows the first line, and goes there."""
    start = len(_first_line(b""))
    file.seek(start)
    digest = hashlib.file_digest(file, "sha256").hexdigest().encode()
    file.seek(start)
    return digest


def _first_line(digest):
    return b"sha256 " + digest.ljust(64) + b"\n"


def _other_version(path):
    return (
        f"{path} was written by another version of amp_keras: go on with the "
        "version that config.json names, or begin anew with --overwrite"
    )
