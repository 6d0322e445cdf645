"""Kills a command before each of its file operations and lets it go on.

A command left alone gives the result to be reached and the list of what it does
with files in its folder. Then, for each of these operations, the command is
killed (SIGKILL) just before it, or just after a file was opened for writing and
is empty, and given again. What it leaves in the end must be the same: the same
files, the same bits of weights, tables, metrics and plots. Only times and
dates may differ.

TensorFlow's own file operations, by which TensorBoard's logs are written, are
not among those that are seen.
"""

import collections
import contextlib
import csv
import dataclasses
import io
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import traceback
import zipfile

import keras

from amp_keras import models
from amp_keras.cli import command_line
from amp_keras.experiments import markdown

ARGUMENTS = {
    "train": (
        "--epochs=2",
        "--train_examples=40",
        "--batch_size=16",
        "--validation_split=0.2",
        "--epsilon=0.1",
        "--checkpoint_steps=1",
        "--verbose=0",
    ),
    "search": (
        "--epochs=1",
        "--train_examples=40",
        "--batch_size=32",
        "--epsilons=0.1",
    ),
}
FOLDER = "run"
_MODIFYING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_KINDS = {
    "os.mkdir": "make a folder",
    "os.rename": "rename",
    "os.remove": "remove",
    "os.rmdir": "remove a folder",
}


@dataclasses.dataclass(frozen=True)
class Operation:
    """What a command is about to do with a file.

    Attributes:
        kind: String, such as `"open to write"`.
        path: String, the file, from the command's folder on.
        is_torn: Bool, whether it is done, and nothing after it: the file is
            there, and empty.
    """

    kind: str
    path: str
    is_torn: bool = False


class Observer:
    """Sees what this process does with files below a folder.

    Args:
        kill_at: Int, the number of the operation at which the process kills
            itself. Defaults to `None`: it does not.
        is_torn: Bool, whether that operation is done.
    """

    def __init__(self, kill_at=None, is_torn=False):
        self.operations = []
        self._root = os.path.realpath(FOLDER)
        self._kill_at, self._is_torn = kill_at, is_torn
        self._fsync, os.fsync = os.fsync, self._observed_fsync
        sys.addaudithook(self._see)

    def _see(self, event, arguments):
        if event == "open" and arguments[2] & _MODIFYING:
            self._note("open to write", arguments[0])
        elif event in _KINDS:
            folder = arguments[2] if event == "os.mkdir" else arguments[-1]
            self._note(_KINDS[event], arguments[0], folder)

    def _observed_fsync(self, descriptor):
        self._note("flush", os.readlink(f"/proc/self/fd/{descriptor}"))
        self._fsync(descriptor)

    def _note(self, kind, path, folder=-1):
        if not isinstance(path, str | bytes | os.PathLike):
            return
        path = os.fsdecode(path)
        if folder >= 0:
            path = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)
        path = os.path.abspath(path)
        if not (path + "/").startswith(self._root + "/"):
            return
        if not _changes(kind, path):
            return
        number = len(self.operations)
        self.operations.append(
            Operation(kind, os.path.relpath(path, self._root))
        )
        if number == self._kill_at:
            if self._is_torn:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
            os.kill(os.getpid(), signal.SIGKILL)


def _changes(kind, path):
    """Whether it does anything, as removing what is not there does not."""
    if kind == "open to write":
        return not os.path.isdir(path)
    return os.path.lexists(path) != (kind == _KINDS["os.mkdir"])


def tiny(input_shape, num_classes):
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(4, 3, strides=4)(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    if keras.config.backend() != "torch":
        # torch draws it from a generator of its own, which nothing saves.
        x = keras.layers.Dropout(0.2)(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes)(x))


def give_command(name, parent, kill_at=None, is_torn=False):
    """Gives the command in a process of its own.

    The process is a copy of this one, which has imported all and computed
    nothing.

    Args:
        name: String, `"train"` or `"search"`.
        parent: Path of the folder below which the command's one lies.
        kill_at, is_torn: As in `Observer`.

    Returns:
        A tuple: Int, how it ended, 0 if well; and what it did with files.
    """
    report = parent / "operations"
    child = os.fork()
    if not child:
        _in_child(name, parent, report, kill_at, is_torn)
    _, status = os.waitpid(child, 0)
    operations = []
    if report.exists():
        operations = [Operation(*o) for o in json.loads(report.read_text())]
        report.unlink()
    return os.waitstatus_to_exitcode(status), operations


def _in_child(name, parent, report, kill_at, is_torn):
    code = 1
    try:
        os.chdir(parent)
        # What a killed process leaves there is removed with the rest.
        tempfile.tempdir = str(parent)
        output = os.open("output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        observer = Observer(kill_at, is_torn)
        argv = [f"{name}.py", *ARGUMENTS[name], f"--output_dir={FOLDER}"]
        sys.argv = argv
        with contextlib.suppress(SystemExit):
            command = getattr(__import__(f"amp_keras.cli.{name}").cli, name)
            command_line.run(command.main, argv)
        operations = [dataclasses.astuple(o) for o in observer.operations]
        report.write_text(json.dumps(operations))
        code = 0
    except Exception:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def contents(folder):
    """Returns what a command left, without times and dates, by file."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if "tfevents" in name:
            found[re.sub(r"tfevents.*", "tfevents", name)] = None
        elif path.is_file():
            found[name] = _content(path)
    return found


def _content(path):
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            config = archive.read("config.json").decode()
            return (
                # A place in memory.
                re.sub(r'"shared_object_id": \d+', "", config),
                archive.read("model.weights.h5"),
            )
    if path.suffix == ".csv":
        rows = list(csv.DictReader(io.StringIO(path.read_text())))
        return [{**row, "seconds": None} for row in rows]
    if path.name == "oracle.json":
        return sorted(json.loads(path.read_text()))
    if path.suffix == ".json":
        return _without_seconds(json.loads(path.read_text()))
    if path.suffix == ".md":
        return re.sub(r"\d+ s of", "s of", path.read_text())
    return path.read_bytes()


def _without_seconds(value):
    if isinstance(value, dict):
        return {
            key: _without_seconds(v)
            for key, v in value.items()
            if key != "seconds"
        }
    return value


def points(operations):
    """Yields numbers of operations, and whether they are done."""
    for number, operation in enumerate(operations):
        yield number, operation
        if operation.kind == "open to write":
            yield number, dataclasses.replace(operation, is_torn=True)


def run(name, parent):
    """Kills a command at each point.

    Args:
        name: String, `"train"` or `"search"`.
        parent: Path of a folder to work in.

    Yields:
        Tuples: the `Operation`, and a string: what was wrong, or `""`.
    """
    alone = parent / "alone"
    alone.mkdir()
    code, operations = give_command(name, alone)
    if code:
        raise RuntimeError((alone / "output").read_text())
    expected = contents(alone / FOLDER)
    for number, operation in points(operations):
        killed = parent / "killed"
        killed.mkdir()
        code, _ = give_command(name, killed, number, operation.is_torn)
        if code != -signal.SIGKILL:
            yield operation, f"was not killed but ended with {code}"
        else:
            yield operation, _fault(name, killed, expected)
        shutil.rmtree(killed)


def _fault(name, killed, expected):
    code, _ = give_command(name, killed)
    found = contents(killed / FOLDER)
    different = [
        file
        for file in sorted(expected | found)
        if file not in expected
        or file not in found
        or expected[file] != found[file]
    ]
    if code or different:
        output = (killed / "output").read_text().splitlines()[-1:]
        return f"differ: {different}; the last line: {output}"
    return ""


def table(results):
    """Returns the points by file, as Markdown."""
    kinds = collections.defaultdict(collections.Counter)
    wrong = collections.Counter()
    for operation, fault in results:
        file = re.sub(r"\d+", "N", operation.path.replace(".new-", ""))
        kinds[file]["just opened" if operation.is_torn else operation.kind] += 1
        wrong[file] += bool(fault)
    rows = []
    for file, counts in sorted(kinds.items()):
        of_kinds = ", ".join(f"{k} {n}" for k, n in sorted(counts.items()))
        points = counts.total()
        rows.append([f"`{file}`", of_kinds, points, points - wrong[file]])
    total = sum(counts.total() for counts in kinds.values())
    rows.append(["all", "", total, total - wrong.total()])
    columns = ["file", "killed before", "points", "ended the same"]
    return markdown.table(columns, rows)


def prepare(name):
    """Imports a command, with a tiny network, for its copies to start from."""
    models._BUILDERS["resnet20"] = tiny
    # Nobody's work on the code meanwhile is to be seen in the folders.
    os.environ["GIT_DIR"] = os.devnull
    __import__(f"amp_keras.cli.{name}")
