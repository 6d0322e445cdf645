"""The checkpoints of a run, as files."""

import json
import pathlib
import re
import shutil
import zipfile

import numpy as np

from amp_keras.experiments import atomic_file

_KEPT = 2
_NAME = re.compile(r"step-(\d+)\.npz")
_DAMAGE = (EOFError, KeyError, OSError, ValueError, zipfile.BadZipFile)


class CheckpointError(Exception):
    """A checkpoint cannot be written or used; the message says why."""


class Checkpoints:
    """Writes the checkpoints of a run to a folder and keeps the last two.

    Each is one `.npz` file, a zip whose members carry checksums.

    Args:
        folder: Path of the folder. It need not exist.
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def save(self, step, arrays, progress):
        """Writes the checkpoint of a step, and removes old ones after it.

        Args:
            step: Int, the number of steps that are done.
            arrays: List of arrays.
            progress: What else belongs to it, of what JSON has.

        Raises:
            CheckpointError: If it cannot be written. Those before it stay.
        """
        members = {f"array_{i}": a for i, a in enumerate(arrays)}
        members["progress"] = np.frombuffer(json.dumps(progress).encode(), "u1")
        path = self.folder / f"step-{step}.npz"
        try:
            self.folder.mkdir(exist_ok=True)
            with atomic_file.replacing(path) as new, open(new, "wb") as file:
                np.savez(file, **members)
            for _, old in self._files()[_KEPT:]:
                old.unlink()
        except OSError as error:
            raise CheckpointError(
                f"the checkpoint {path} cannot be written ({error.strerror})"
                f"{'; those before it are kept' if self.exist() else ''}"
            ) from error

    def load_latest(self, report=print):
        """Reads the latest checkpoint that is whole.

        Args:
            report: Function of a string, told of each one that is damaged.

        Returns:
            A tuple `(arrays, progress)`, or `None` if there is none.
        """
        for _, path in self._files():
            try:
                return _read(path)
            except _DAMAGE as error:
                report(f"{path} is damaged ({error}): the one before it counts")
        return None

    def exist(self):
        """Returns whether there is one."""
        return bool(self._files())

    def remove(self):
        """Removes them all."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self):
        """Returns steps and paths, the latest first."""
        if not self.folder.is_dir():
            return []
        names = [(_NAME.fullmatch(p.name), p) for p in self.folder.iterdir()]
        files = [(int(match[1]), path) for match, path in names if match]
        return sorted(files, reverse=True)


class ReadOnlyCheckpoints(Checkpoints):
    """Those that another process writes."""

    def save(self, step, arrays, progress):
        """Leaves it to that process."""


def _read(path):
    with np.load(path, allow_pickle=False) as members:
        arrays = [members[f"array_{i}"] for i in range(len(members.files) - 1)]
        return arrays, json.loads(members["progress"].tobytes())
