"""Files that are written whole or not at all."""

import contextlib
import os
import pathlib


@contextlib.contextmanager
def replacing(path):
    """Yields a path to write to, whose file then takes the place of `path`.

    Neither a killed process nor a full disk leaves a part of a file, and
    after a power failure there is the old file or the new one.
    """
    path = pathlib.Path(path)
    new = path.with_name(f".new-{path.name}")
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


def _flush_folder(path):
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
