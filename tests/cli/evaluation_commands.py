"""Command lines of `apps/evaluate.py` and `apps/predict.py`, in one process.

```
PYTHONPATH=tests python tests/cli/evaluation_commands.py FOLDER
```

prints a line of JSON for each: its name, its exit code, what it wrote on stdout
and stderr, whether it left all files as they were, and, of a bad one, what the
error must say.
"""

import contextlib
import io
import json
import os
import pathlib
import sys

import keras
import numpy as np
import PIL.Image
import tiny_runs
from absl.testing import flagsaver

from amp_keras.cli import command_line
from amp_keras.cli import evaluate
from amp_keras.cli import predict

SMALL = (
    "--examples=30",
    "--eigenvalues=1",
    "--trace_samples=1",
    "--radii=0.1",
    "--slice_points=2",
    "--plane_points=2",
    "--verbose=0",
)
BOTH = ("--run=run", "--model_file=softmax.keras", *SMALL)

# By name: the command, its arguments, and what the error must say.
BAD = {
    "nothing": (evaluate, (), "must name a network. Received: neither"),
    "no_run": (evaluate, ("--run=none",), "--run=none, which has no config"),
    "unfinished": (
        evaluate,
        ("--run=unfinished",),
        "--run=unfinished, which has no model.keras",
    ),
    "damaged": (evaluate, ("--run=damaged",), "--run=damaged.*is not JSON"),
    "no_file": (
        evaluate,
        ("--model_file=none.keras", "--dataset=digits"),
        "must have a network that can be read.*No such file",
    ),
    "no_dataset": (
        evaluate,
        ("--model_file=softmax.keras",),
        "--dataset must be given with --model_file",
    ),
    "other_dataset": (
        evaluate,
        ("--run=run", "--dataset=cifar10"),
        "the same dataset. Received: cifar10, digits",
    ),
    "not_keras": (
        evaluate,
        ("--model_file=text.keras", "--dataset=digits"),
        "that Keras loads in safe mode. Received: text.keras",
    ),
    "with_code": (
        evaluate,
        ("--model_file=lambda.keras", "--dataset=digits"),
        "that Keras loads in safe mode.*[Ll]ambda",
    ),
    "other_images": (
        evaluate,
        ("--model_file=large.keras", "--dataset=digits"),
        r"of shape \(8, 8, 1\). Received: large.keras",
    ),
    "radii": (evaluate, ("--run=run", "--radii=2,1"), "increasing distances"),
    "bins": (evaluate, ("--run=run", "--bins=0"), "positive integer"),
    "typo": (evaluate, ("--run=run", "--curvatur"), "mean: curvature"),
    "occupied": (
        evaluate,
        ("--run=run", "--output_dir=occupied"),
        "must be new, empty or one to go on with",
    ),
    "two_networks": (
        predict,
        ("--run=run,run", "--images=images"),
        "must name one network. Received: run, run-2",
    ),
    "no_images": (predict, ("--run=run",), "--images must name"),
    "missing_images": (
        predict,
        ("--run=run", "--images=none"),
        "--images: no such file or folder: none",
    ),
    "text_images": (
        predict,
        ("--run=run", "--images=text.keras"),
        "--images: text.keras is not an image",
    ),
}
GOOD = {
    "both": (evaluate, (*BOTH, "--dataset=digits", "--curvature")),
    "extended": (
        evaluate,
        (*BOTH, "--dataset=digits", "--curvature", "--landscape"),
    ),
    "other_bins": (evaluate, (*BOTH, "--dataset=digits", "--bins=5")),
    "predict": (predict, ("--run=run", "--images=images")),
}


def prepare():
    """Writes what the command lines name into the current folder."""
    tiny_runs.write(pathlib.Path("run"), validation_split=0.1)
    tiny_runs.write(pathlib.Path("unfinished"))
    pathlib.Path("unfinished/model.keras").unlink()
    tiny_runs.write(pathlib.Path("damaged"))
    pathlib.Path("damaged/config.json").write_text("{")
    tiny_runs.network("softmax").save("softmax.keras")
    pathlib.Path("text.keras").write_text("text")
    pathlib.Path("occupied").mkdir()
    pathlib.Path("occupied/thesis.txt").write_text("precious")
    pathlib.Path("images").mkdir()
    PIL.Image.fromarray(np.eye(8, dtype="uint8") * 255).save("images/a.png")
    inputs = keras.Input((8, 8, 1))
    outputs = keras.layers.Lambda(lambda x: x)(inputs)
    outputs = keras.layers.Dense(10)(keras.layers.Flatten()(outputs))
    keras.Model(inputs, outputs).save("lambda.keras")
    inputs = keras.Input((16, 16, 1))
    outputs = keras.layers.Dense(10)(keras.layers.Flatten()(inputs))
    keras.Model(inputs, outputs).save("large.keras")


def attempt(command, arguments):
    """Returns the exit code and what was written on stdout and stderr."""
    name = f"{command.__name__.rpartition('.')[-1]}.py"
    sys.argv = [name, *arguments]
    output, errors = io.StringIO(), io.StringIO()
    with (
        flagsaver.flagsaver(),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
    ):
        try:
            command_line.run(command.main)
        except SystemExit as exit:
            return exit.code, output.getvalue(), errors.getvalue()


def files():
    return {
        str(path): path.read_bytes()
        for path in pathlib.Path().rglob("*")
        if path.is_file()
    }


def main(folder):
    os.chdir(folder)
    prepare()
    for name, (command, arguments, *expected) in {**BAD, **GOOD}.items():
        before = files()
        result = attempt(command, arguments)
        unchanged = before == files()
        print(json.dumps([name, *result, unchanged, *expected]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
