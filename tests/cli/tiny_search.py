"""`tuning/search.py` on a tiny network, with failures on demand.

Environment variables: `CALLS`, a file that gets a line for each training;
`FAIL`, epsilons at which training fails, with commas between them; `KILL`, the
number of the training at whose beginning the process kills itself; `HANDICAP`,
an epsilon whose validation loss is raised; `WORK`, a file that gets a line for
each network that is built and each normalization that is adapted; `COMMANDS`,
command lines to run one after the other, whose exit codes and last lines are
printed as JSON.
"""

import contextlib
import io
import json
import os
import signal
import sys

import keras
from absl.testing import flagsaver

from amp_keras import models
from amp_keras.cli import command_line
from amp_keras.errors import AMPKerasError
from amp_keras.experiments import training


def tiny(input_shape, num_classes):
    count("build")
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(4, 3, strides=4)(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes)(x))


def count(work):
    """Notes what costs time."""
    if "WORK" in os.environ:
        with open(os.environ["WORK"], "a") as file:
            file.write(f"{work}\n")


def counted(adapt):
    def count_and_adapt(*args, **kwargs):
        count("adapt")
        return adapt(*args, **kwargs)

    return count_and_adapt


def observed(train):
    calls = []

    def train_or_fail(config, *args, **kwargs):
        calls.append(config)
        if len(calls) == int(os.environ.get("KILL", 0)):
            os.kill(os.getpid(), signal.SIGKILL)
        if f"{config.epsilon:g}" in os.environ.get("FAIL", "").split(","):
            raise AMPKerasError("This epsilon was to fail.")
        with open(os.environ["CALLS"], "a") as file:
            split = f"{config.validation_split:g}"
            file.write(f"{config.epsilon:g} {config.seed} {split}\n")
        result = train(config, *args, **kwargs)
        if f"{config.epsilon:g}" == os.environ.get("HANDICAP"):
            history = result[1].history
            history["val_loss"] = [x + 1 for x in history.get("val_loss", [])]
        return result

    return train_or_fail


def outcome(arguments):
    """Runs the command; returns its exit code and last line on stderr."""
    argv = [sys.argv[0], *sys.argv[1:], *arguments]
    with (
        flagsaver.flagsaver(),
        contextlib.redirect_stderr(io.StringIO()) as errors,
    ):
        try:
            command_line.run(search.main, argv)
        except SystemExit as exit:
            code = exit.code
    return code, errors.getvalue().splitlines()[-1]


if __name__ == "__main__":
    # Its flags are those of no other command in the same process.
    from amp_keras.cli import search

    models._BUILDERS["resnet20"] = tiny
    training.train = observed(training.train)
    normalization = keras.layers.Normalization
    normalization.adapt = counted(normalization.adapt)
    if "COMMANDS" in os.environ:
        commands = json.loads(os.environ["COMMANDS"])
        print(json.dumps([outcome(arguments) for arguments in commands]))
    else:
        command_line.run(search.main)
