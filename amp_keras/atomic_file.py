"""Files that are written whole or not at all."""

import contextlib
import os
import pathlib

_PREFIX = ".new-"


@contextlib.contextmanager
def replacing(path):
    """Yields a path to write to, whose file then takes the place of `path`.

    Neither a killed process nor a full disk leaves a part of a file, and
    after a power failure there is the old file or the new one.
    """
    path = pathlib.Path(path)
    new = _unfinished(path)
    try:
        yield new
        with open(new, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(new, path)
        _flush_folder(path.parent)
    finally:
        new.unlink(missing_ok=True)


def write_text(path, text):
    """Writes a text file."""
    with replacing(path) as new:
        new.write_text(text)


def remove_unfinished(path):
    """Removes what a killed process has left of writing a file.

    Args:
        path: Path of the file, or of a folder, in which it is done for all
            files at any depth.
    """
    _unfinished(path).unlink(missing_ok=True)
    if path.is_dir():
        for new in path.rglob(f"{_PREFIX}*"):
            new.unlink(missing_ok=True)


def is_unfinished(path, names):
    """Returns whether it is what is left of writing one of the names."""
    return path.name in {f"{_PREFIX}{name}" for name in names}


def _unfinished(path):
    return path.with_name(f"{_PREFIX}{path.name}")


def _flush_folder(path):
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
