"""Command lines of `apps/train.py` that cannot be carried out.

Each is to end with exit code 2 and one line on stderr, and to leave every file
as it was.
"""

import contextlib
import dataclasses
import errno
import io
import json
import os
import re
import sys
from unittest import mock

import filelock
import gtsrb_archives
import keras
import requests
import tensorflow_datasets as tfds
from absl.testing import flagsaver
from etils import epath
from PIL import Image

from amp_keras import models
from amp_keras.cli import command_line
from amp_keras.cli import train
from amp_keras.datasets import tfds_reader
from amp_keras.datasets.gtsrb.gtsrb_dataset_builder import ARCHIVES
from amp_keras.experiments import checkpoints
from amp_keras.experiments import markdown

SMALL = ("--epochs=2", "--train_examples=64", "--batch_size=32")


@dataclasses.dataclass
class Case:
    """A bad input.

    Attributes:
        arguments: Strings; FOLDER stands for the folder of the case.
        named: String that the message must contain: what was wrong.
        title: String, what the command line does not show. Defaults to "".
        prepare: Function of the folder that sets the scene, and may return a
            context manager for the time of the run. Defaults to `None`.
    """

    arguments: tuple
    named: str
    title: str = ""
    prepare: object = None


def flag(argument, accepted):
    return Case((argument,), re.split("=", argument)[0] + ".*" + accepted)


def tiny(input_shape, num_classes):
    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, strides=4)(inputs))
    return keras.Model(inputs, keras.layers.Dense(num_classes)(x))


def write(name, text):
    def prepare(folder):
        (folder / name).write_text(text)

    return prepare


UNREGISTERED = """
import keras

class Mine(keras.layers.Dense):
    pass

def net(input_shape, num_classes):
    return keras.Sequential(
        [keras.Input(input_shape), keras.layers.Flatten(), Mine(num_classes)]
    )
"""


def images(folder, sizes=(8, 8, 8, 8), broken=False):
    for name in ("a", "b"):
        path = folder / "images" / name
        path.mkdir(parents=True)
        for i, size in enumerate(sizes):
            Image.new("L", (size, size)).save(path / f"{i}.png")
    if broken:
        (path / "3.png").write_text("no image")


def lock(folder):
    return filelock.FileLock(folder / ".lock")


def earlier_run(folder):
    attempt_in(folder, (*SMALL, "--output_dir=FOLDER"))


def prepared_gtsrb(folder):
    """The dataset as TFDS leaves it, and no archives."""
    gtsrb_archives.write_archives(folder / "archives")
    with contextlib.suppress(SystemExit):
        attempt_in(folder, (*GTSRB, "--batch_size=100"))
    for archive in (folder / "archives").iterdir():
        archive.unlink()


def truncated_record(folder):
    prepared_gtsrb(folder)
    (record,) = (folder / "data").rglob("*train.tfrecord*")
    record.write_bytes(record.read_bytes()[:-100])


def damaged_record(folder):
    prepared_gtsrb(folder)
    (record,) = (folder / "data").rglob("*train.tfrecord*")
    content = bytearray(record.read_bytes())
    content[len(content) // 2] ^= 255
    record.write_bytes(content)


def archives(**members):
    def prepare(folder):
        gtsrb_archives.write_archives(folder / "archives", **members)

    return prepare


def truncated_archive(folder):
    archives()(folder)
    path = folder / "archives" / ARCHIVES["train"]
    path.write_bytes(path.read_bytes()[:-200])


def some_archives(folder):
    archives()(folder)
    (folder / "archives" / ARCHIVES["test"]).unlink()


def rows(**changes):
    """The training rows, the first with other values in named columns."""
    first = list(gtsrb_archives.TRAIN_ROWS[0])
    for column, value in changes.items():
        first[gtsrb_archives.COLUMNS.index(column)] = value
    return [first, *gtsrb_archives.TRAIN_ROWS[1:]]


def not_an_image():
    members = gtsrb_archives.make_train_members()
    name = next(name for name in members if name.endswith(".ppm"))
    return {**members, name: b"not an image"}


def climbing():
    members = gtsrb_archives.make_train_members()
    return {**members, "GTSRB/../../../climbed.ppm": b"out"}


def wrong_checksum(folder):
    """A server with archives that are not the official ones."""
    gtsrb_archives.write_archives(folder / "server")
    paths = {
        key: epath.Path(folder / "server" / name)
        for key, name in ARCHIVES.items()
    }
    scene = contextlib.ExitStack()
    scene.enter_context(mock.patch.object(tfds_reader, "_check_reachable"))
    scene.enter_context(
        mock.patch.object(
            tfds.download.DownloadManager, "download", return_value=paths
        )
    )
    return scene


def full_disk(folder):
    def fail(file, **arrays):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return mock.patch.object(checkpoints.np, "savez", fail)


def out_of_memory(folder):
    def fail(*args, **kwargs):
        raise MemoryError("RESOURCE_EXHAUSTED: OOM when allocating tensor")

    return mock.patch.object(keras.Model, "fit", fail)


GTSRB = (
    "--dataset=gtsrb",
    "--data_dir=FOLDER/data",
    "--manual_dir=FOLDER/archives",
)

FLAGS = [
    flag("--dataset=cifar", "did you mean cifar10"),
    flag("--model=resnet-20", "did you mean resnet20"),
    flag("--image_size=0", "integer in the range"),
    flag("--image_size=32x32", "integer in the range"),
    flag("--labels=best", "one of worse_label"),
    flag("--max_examples=0", "positive integer"),
    flag("--max_examples=few", "positive integer"),
    flag("--label_noise=1.5", r"range \[0, 1\]"),
    flag("--label_noise=some", r"range \[0, 1\]"),
    flag("--label_noise_kind=pairs", "did you mean pair"),
    flag("--epsilon=-1", "non-negative number"),
    flag("--epsilon=nan", "non-negative number"),
    flag("--epsilon=inf", "non-negative number"),
    flag("--epsilon=big", "non-negative number"),
    flag("--inner_lr=-0.1", "non-negative number"),
    flag("--inner_lr=one", "non-negative number"),
    flag("--inner_iters=-1", r"range \[0, 100\]"),
    flag("--inner_iters=1.5", r"range \[0, 100\]"),
    flag("--inner_fraction=0.3", "1/s with an integer s, such as 1/8"),
    flag("--inner_fraction=2/3", "1/s with an integer s"),
    flag("--inner_fraction=1/0", "1/s with an integer s"),
    flag("--perturbation=noise", "one of adversarial, random"),
    flag("--perturb_from=1.5", r"range \[0, 1\]"),
    flag("--perturb_from=end", r"range \[0, 1\]"),
    flag("--norm=l1", "one of global, per_variable"),
    flag("--perturb=(", "regular expression"),
    flag("--log_perturbation=maybe", "true or false"),
    flag("--epochs=0", "positive integer"),
    flag("--epochs=ten", "positive integer"),
    flag("--batch_size=0", "positive integer"),
    flag("--batch_size=3.5", "positive integer"),
    flag("--optimizer=adam", "did you mean adamw"),
    flag("--learning_rate=-0.1", "non-negative number"),
    flag("--learning_rate=nan", "non-negative number"),
    flag("--milestones=150,100", "increasing epochs"),
    flag("--milestones=soon", "increasing epochs"),
    flag("--warmup_epochs=-1", "non-negative number"),
    flag("--warmup_epochs=few", "non-negative number"),
    flag("--momentum=1.5", r"range \[0, 1\]"),
    flag("--momentum=high", r"range \[0, 1\]"),
    flag("--nesterov=2", "true or false"),
    flag("--weight_decay=-1", "non-negative number"),
    flag("--weight_decay=no", "non-negative number"),
    flag("--l2=-1", "non-negative number"),
    flag("--l2=no", "non-negative number"),
    flag("--clipnorm=0", "a number >= "),
    flag("--clipnorm=none", "a number >= "),
    flag("--ema=1", r"range \[0, 0.999999\]"),
    flag("--ema=long", r"range \[0, 0.999999\]"),
    flag("--augment=often", "true or false"),
    flag("--crop=-1", "non-negative integer"),
    flag("--crop=x", "non-negative integer"),
    flag("--flip=maybe", "true or false"),
    flag("--cutout=-1", "non-negative integer"),
    flag("--cutout=x", "non-negative integer"),
    flag("--randaugment=maybe", "true or false"),
    flag("--mixup=-1", "non-negative number"),
    flag("--cutmix=-1", "non-negative number"),
    flag("--cutmix=x", "non-negative number"),
    flag("--label_smoothing=1", r"range \[0, 0.99\]"),
    flag("--gce=1.5", r"range \[0, 1\]"),
    flag("--gce=some", r"range \[0, 1\]"),
    flag("--seed=-1", "range"),
    flag("--seed=2147483648", "range"),
    flag("--seed=lucky", "range"),
    flag("--train_examples=0", "positive integer"),
    flag("--train_examples=half", "positive integer"),
    flag("--validation_split=1", r"range \[0, 0.9\]"),
    flag("--validation_split=-0.1", r"range \[0, 0.9\]"),
    flag("--validation_split=tenth", r"range \[0, 0.9\]"),
    flag("--restore_best_weights=maybe", "true or false"),
    flag("--jit_compile=sometimes", "one of auto, true, false"),
    flag("--distribution=miror", "did you mean mirrored"),
    flag("--num_processes=0", "positive integer"),
    flag("--process_id=-1", "non-negative integer"),
    flag("--checkpoint_steps=0", "positive integer"),
    flag("--checkpoint_steps=often", "positive integer"),
    flag("--overwrite=please", "true or false"),
    flag("--verbose=3", r"range \[0, 2\]"),
    flag("--recipe=papers", "did you mean paper"),
    flag("--epochs=2147483648", "positive integer, at most 1000000"),
    flag("--epsilon=1e39", "non-negative number that fits float32"),
    flag("--perturb=a{99999999999}", "regular expression"),
    Case(("--stderrthreshold=bogus",), "--stderrthreshold must be one of"),
    Case(("--flagfile=/dev/zero",), "--flagfile must be a file"),
    Case(("--config=/dev/zero",), "--config must be a JSON file.*a device"),
    Case(("--epsilonn=0.1",), "'epsilonn'. Did you mean: epsilon"),
    Case(("cifar10",), "takes flags only.*cifar10"),
]

COMBINATIONS = [
    Case(("--batch_size=2000",), "--batch_size must not exceed.*=2000"),
    Case(("--train_examples=1438",), "--train_examples.*1437.*=1438"),
    Case(("--validation_split=0.001",), "--validation_split must leave"),
    Case(("--perturb=nothing",), "--perturb must be found.*=nothing"),
    Case(("--perturbation=random", "--inner_iters=2"), "which has no ascent"),
    Case(("--milestones=10",), "--warmup_epochs must be 0"),
    Case(("--optimizer=adamw", "--l2=0.0001"), "--l2 must be 0.*--l2=0.0001"),
    Case(("--optimizer=adamw", "--momentum=0.8"), "--momentum must be 0.9"),
    Case(("--optimizer=adamw", "--nesterov=false"), "--nesterov must be true"),
    Case(("--mixup=1", "--cutmix=1"), "--mixup and --cutmix"),
    Case(("--randaugment",), "--randaugment cannot be used with"),
    Case(("--require_gpu",), "--require_gpu"),
    Case(
        ("--config=FOLDER/none.json",),
        "--config must be a JSON file",
        "no such file",
    ),
    Case(
        ("--config=FOLDER/c.json",),
        "--config must be a JSON file",
        "not JSON",
        write("c.json", "epsilon: 0.1"),
    ),
    Case(
        ("--config=FOLDER/c.json",),
        "did you mean epsilon",
        'c.json is {"epsilonn": 0.1}',
        write("c.json", json.dumps({"epsilonn": 0.1})),
    ),
    Case(
        ("--config=FOLDER/c.json",),
        "epsilon must be a number",
        'c.json is {"epsilon": "0.1"}',
        write("c.json", json.dumps({"epsilon": "0.1"})),
    ),
    Case(
        ("--config=FOLDER/c.json",),
        "epsilon.*non-negative number",
        'c.json is {"epsilon": -1}',
        write("c.json", json.dumps({"epsilon": -1})),
    ),
]

OUTPUT = [
    Case(
        ("--output_dir=FOLDER/file/run",),
        "--output_dir must be a folder that can be written",
        "file is a file",
        write("file", ""),
    ),
    Case(
        ("--output_dir=/proc/run",),
        "--output_dir must be a folder that can be written",
        "a file system that cannot be written",
    ),
    Case(
        ("--output_dir=FOLDER",),
        "--output_dir must be new, empty or one to go on with",
        "it holds something else",
        write("thesis.txt", "precious"),
    ),
    Case(
        ("--output_dir=FOLDER",),
        "--output_dir must not be in use",
        "another process has the lock",
        lock,
    ),
    Case(
        (*SMALL, "--output_dir=FOLDER", "--momentum=0.8"),
        "--momentum is 0.9, not 0.8",
        "it holds a run with momentum 0.9",
        earlier_run,
    ),
]

DATA = [
    Case(
        ("--dataset=cifar10", "--data_dir=FOLDER/none"),
        "cannot be reached",
        "no such folder, no network",
    ),
    Case(
        ("--dataset=cifar10", "--data_dir=FOLDER"),
        "cannot be reached",
        "empty folder, no network",
    ),
    Case(
        ("--dataset=cifar10", "--data_dir=FOLDER/file"),
        "a file, not a folder",
        "a file",
        write("file", ""),
    ),
    Case(
        (*GTSRB,),
        "holds none of",
        "no archives in --manual_dir",
        lambda folder: (folder / "archives").mkdir(),
    ),
    Case((*GTSRB,), "Missing: ", "an archive is missing", some_archives),
    Case(
        (*GTSRB,),
        "Training_Images.zip is not a whole zip",
        "an archive is truncated",
        truncated_archive,
    ),
    Case(
        GTSRB[:2],
        "has the MD5 .* was expected",
        "the archives are downloaded, with a wrong checksum",
        wrong_checksum,
    ),
    Case(
        (*GTSRB,),
        r"GTSRB/.*\.ppm.* cannot be decoded",
        "an image does not decode",
        lambda folder: archives(train=not_an_image())(folder),
    ),
    Case(
        (*GTSRB,),
        "ClassId must be 0 to 42.*43",
        "a label is 43, of classes 0 to 42",
        lambda folder: archives(
            train=gtsrb_archives.make_train_members(rows(ClassId=43))
        )(folder),
    ),
    Case(
        (*GTSRB,),
        "leaves the archive",
        "an archive has a path that climbs out of its folder",
        lambda folder: archives(train=climbing())(folder),
    ),
    Case(
        (*GTSRB,),
        "damaged.*truncated record",
        "a TFRecord is truncated",
        truncated_record,
    ),
    Case(
        (*GTSRB,),
        "damaged.*corrupted record",
        "a TFRecord is damaged",
        damaged_record,
    ),
]

OWN = [
    Case(("--image_size=32",), "tfds:NAME or folder:PATH only"),
    Case(("--labels=worse_label",), "--dataset=cifar10_n only"),
    Case(("--max_examples=2000",), "--max_examples must not exceed.*1437"),
    Case(("--crop=8",), "--crop must be smaller than the images"),
    Case(("--flip", "--augment=false"), "must not be given with --augment"),
    Case(("--dataset=tfds:no_such_set",), "has no dataset no_such_set"),
    Case(("--dataset=folder:FOLDER/none",), "No such file"),
    Case(
        ("--dataset=folder:FOLDER/images",),
        "--image_size=32",
        "one image is smaller than the others",
        lambda folder: images(folder, sizes=(8, 8, 8, 4)),
    ),
    Case(
        ("--dataset=folder:FOLDER/images",),
        "that are whole. Received: .*b/3.png",
        "a file is no image",
        lambda folder: images(folder, broken=True),
    ),
    Case(("--model=FOLDER/net.py:net",), "cannot be read"),
    Case(("--model=no_such_module:net",), "cannot be imported"),
    Case(
        ("--model=FOLDER/net.py:net",),
        "has no function net",
        "the file has another function",
        write("net.py", "def other(input_shape, num_classes): pass"),
    ),
    Case(
        ("--model=FOLDER/net.py:net",),
        "register_keras_serializable",
        "its layer is not registered with Keras",
        write("net.py", UNREGISTERED),
    ),
]

TRAINING = [
    Case(
        (*SMALL, "--learning_rate=1e30", "--warmup_epochs=0"),
        "ceased to be finite at step 2, in epoch 1",
        "the loss becomes infinite",
    ),
    Case(
        (*SMALL, "--output_dir=FOLDER/run"),
        "cannot be written .No space left",
        "the disk is full",
        full_disk,
    ),
    Case(
        (*SMALL, "--output_dir=FOLDER/run"),
        "smaller --batch_size",
        "out of memory",
        out_of_memory,
    ),
]

CASES = [*FLAGS, *COMBINATIONS, *OUTPUT, *DATA, *OWN, *TRAINING]


def attempt_in(folder, arguments):
    """Runs a command line in this process, without a network.

    Returns:
        A tuple: the exit code, and what it wrote on stderr.
    """
    argv = [a.replace("FOLDER", str(folder)) for a in arguments]
    if not any(a.startswith("--output_dir") for a in argv):
        argv.append(f"--output_dir={folder / 'run'}")
    argv = ["train.py", "--verbose=0", *argv]
    with contextlib.ExitStack() as stack:
        stack.enter_context(flagsaver.flagsaver())
        stack.enter_context(mock.patch.object(sys, "argv", argv))
        stack.enter_context(
            mock.patch.dict(models._BUILDERS, {"resnet20": tiny})
        )
        refuse = mock.Mock(side_effect=requests.ConnectionError)
        stack.enter_context(
            mock.patch.object(tfds_reader.requests, "head", refuse)
        )
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        errors = stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        try:
            command_line.run(train.main)
        except SystemExit as exit:
            return exit.code, errors.getvalue()


def attempt(case, folder):
    """Runs a case.

    Returns:
        A tuple: the exit code, the lines on stderr of the command itself, and
        the files before and after.
    """
    scene = case.prepare and case.prepare(folder)
    with scene or contextlib.nullcontext():
        before = files(folder)
        code, errors = attempt_in(folder, case.arguments)
        after = files(folder)
    lines = [
        _without_accidents(line.replace(str(folder), "FOLDER"))
        for line in errors.splitlines()
        if line.startswith(("train.py: ", "Traceback"))
    ]
    return code, lines, before, after


def _without_accidents(line):
    """The line without the command and the checksums of archives made here."""
    return re.sub(
        "MD5 [0-9a-f]{32}", "MD5 ...", line.removeprefix("train.py: ")
    )


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def row(case, message):
    """A line of the table in docs/failures.md."""
    arguments = " ".join(a for a in case.arguments if a not in SMALL)
    cells = (f"`{arguments}`", case.title, f"`{message}`")
    return markdown.row(cells)
