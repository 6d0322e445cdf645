"""The authors' PyTorch code beside ours, in a process that waits for its turn.

Two frameworks in one process disturb each other, and two processes that work
at the same time do too: one of the two works, the other one waits for a line.
"""

import collections
import json
import pathlib
import statistics
import subprocess
import sys
import time

import numpy as np

from amp_keras import errors

NETWORKS = ("mlp", "resnet20")
_SCRIPT = pathlib.Path(__file__).with_name("_authors_step.py")
# Threads of a framework look for more work for a while, up to 0.2 s, before
# they sleep.
_SECONDS_TO_REST = 0.3


class Authors:
    """The process, to be used in a `with` statement.

    Args:
        folder: String, a checkout of the authors' repository.
        model: String, one of `NETWORKS`.
        batch_size: Integer.

    Attributes:
        about: Dict, what the process says of itself.
        steps: Dict of `AuthorsStep`s by kind.

    Raises:
        AMPKerasError: If there is no such network, no `amp.py` in the folder,
            or the process cannot begin.
    """

    def __init__(self, folder, model, batch_size):
        _check(folder, model)
        self._process = subprocess.Popen(
            [sys.executable, _SCRIPT, folder, model, str(batch_size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        answer = self._answer()
        self.about = answer["about"]
        self.steps = {
            kind: AuthorsStep(self, kind, **measured)
            for kind, measured in answer["kinds"].items()
        }

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._process.communicate()

    def seconds(self, kind, steps):
        time.sleep(_SECONDS_TO_REST)
        self._process.stdin.write(json.dumps([kind, steps]) + "\n")
        self._process.stdin.flush()
        seconds = self._answer()
        time.sleep(_SECONDS_TO_REST)
        return seconds

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            self._process.communicate()
            raise errors.AMPKerasError(
                "The process of the authors' code must run: it needs PyTorch "
                "and their optimizer. Received: its error, printed above"
            )
        return json.loads(line)


class AuthorsStep:
    """Has what the `Step`s of our own have.

    Attributes:
        shapes: List of lists, of the weights.
    """

    traces = None

    def __init__(self, authors, kind, shapes, passes, compile_seconds):
        self._authors, self._kind = authors, kind
        self.shapes = shapes
        self.passes = passes
        self.compile_seconds = compile_seconds

    def seconds(self, steps):
        """Has steps taken and returns the mean seconds of one."""
        return self._authors.seconds(self._kind, steps)


def _check(folder, model):
    if model not in NETWORKS:
        raise errors.AMPKerasError(
            f"`--versus` must go with --model={' or '.join(NETWORKS)}. "
            f"Received: --model={model}"
        )
    if not (pathlib.Path(folder) / "amp.py").is_file():
        raise errors.AMPKerasError(
            "`--versus` must be a checkout of the authors' repository, with "
            f"amp.py in it. Received: --versus={folder}"
        )


def check_same_network(ours, theirs):
    """Compares two networks by the shapes of their weights.

    Frameworks order the axes of a kernel differently.

    Raises:
        AMPKerasError: If one has a weight that the other lacks.
    """
    if _counted(ours) != _counted(theirs):
        raise errors.AMPKerasError(
            "The authors' network must have the weights of ours: "
            f"{_parameters(ours)} parameters. Received: {_parameters(theirs)}"
        )


def _counted(shapes):
    return collections.Counter(tuple(sorted(shape)) for shape in shapes)


def _parameters(shapes):
    return int(sum(np.prod(shape) for shape in shapes))


def add_speeds(results):
    """Adds to results by kind `speed_to_authors`, and its spread.

    That is how many images a second a kind takes, as a multiple of the
    authors' AMP in the faster of its layouts: the median of the rounds.
    """
    medians = {
        kind: statistics.median(result["seconds"])
        for kind, result in results.items()
        if kind.startswith("authors'")
    }
    authors = results[min(medians, key=medians.get)]["seconds"]
    for result in results.values():
        speeds = np.divide(authors, result["seconds"])
        low, median, high = np.percentile(speeds, [25, 50, 75])
        result["speed_to_authors"] = median
        result["speed_to_authors_spread"] = (high - low) / median
