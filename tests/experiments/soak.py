"""Kills a run at random moments and compares it with one left alone.

The one left alone gives the result to be reached. The other is killed (SIGKILL)
so many times, each time after a random time, and started again with the same
command, until it ends.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import random
import subprocess
import sys
import time

APP = pathlib.Path(__file__).parents[2] / "apps" / "train.py"


@dataclasses.dataclass
class Soak:
    """Two runs in a folder, of the same arguments of `apps/train.py`."""

    folder: pathlib.Path
    arguments: tuple
    kills: int
    seed: int = 0

    def run_alone(self):
        """Runs to the end.

        Returns:
            A tuple, in seconds: until the first checkpoint, until the second,
            and in all.
        """
        start = time.monotonic()
        process = self._start("alone")
        times = []
        for _ in range(2):
            self._wait_for_checkpoint(process, "alone")
            times.append(time.monotonic() - start)
        _check(process)
        return *times, time.monotonic() - start

    def run_killed(self, first, second):
        """Kills the run again and again; yields when, and its last step.

        A quarter of the kills are before its first checkpoint since it was
        started, the others after that, so that it comes to its end at last.
        """
        rng = random.Random(self.seed)
        for _ in range(self.kills):
            start = time.monotonic()
            process = self._start("killed")
            if rng.random() < 0.25:
                self._wait(process, rng.uniform(0, first))
            else:
                self._wait_for_checkpoint(process, "killed")
                self._wait(process, rng.uniform(0, 2 * (second - first)))
            if process.poll() is not None:
                _check(process)
                return
            process.kill()
            process.communicate()
            yield time.monotonic() - start, self._last_step("killed")
        _check(self._start("killed"))

    def _wait(self, process, seconds):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=seconds)

    def _wait_for_checkpoint(self, process, name):
        """Waits until there is another one, or the process has ended."""
        step = self._last_step(name)
        while process.poll() is None and self._last_step(name) == step:
            time.sleep(0.02)

    def differences(self):
        """Returns the names of the files that differ."""
        return [
            name
            for name, read in _READERS.items()
            if read(self.folder / "alone") != read(self.folder / "killed")
        ]

    def _start(self, name):
        output = f"--output_dir={self.folder / name}"
        return subprocess.Popen(
            [sys.executable, APP, "--verbose=0", *self.arguments, output],
            env={"XLA_FLAGS": "", **os.environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _last_step(self, name):
        files = (self.folder / name / "checkpoints").glob("step-*.checkpoint")
        return max((int(file.stem[5:]) for file in files), default=0)


def _check(process):
    _, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(errors)


def _weights(run):
    import keras

    network = keras.models.load_model(run / "model.keras")
    return [w.tobytes() for w in network.get_weights()]


def _metrics(run):
    metrics = json.loads((run / "metrics.json").read_text())
    return {**metrics, "seconds": None}


_READERS = {
    "model.keras": _weights,
    "history.csv": lambda run: (run / "history.csv").read_text(),
    "metrics.json": _metrics,
}
