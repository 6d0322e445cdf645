"""Kills a run at random moments and compares it with one left alone.

```
python tests/apps/soak.py --kills=20 --dataset=cifar10 --model=resnet20 ...
```

What follows `--kills` goes to `apps/train.py`. A run left alone gives the
result to be reached, and its duration. The other is killed (SIGKILL) so many
times, each time after a random time from its start on, and started again with
the same command, until it ends. The weights, the history and the measures of
the two must be equal bit for bit. The exit code is 1 if they are not.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
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
        """Runs to the end; returns the seconds to the start and in all."""
        start = time.monotonic()
        process = self._start("alone")
        while process.poll() is None and not self._last_step("alone"):
            time.sleep(0.05)
        begun = time.monotonic() - start
        _check(process)
        return begun, time.monotonic() - start

    def run_killed(self, begun, end):
        """Kills the run again and again; yields when, and its last step."""
        rng = random.Random(self.seed)
        for _ in range(self.kills):
            # Most in training, and so that so many kills fit into one run.
            earliest = 0.7 * begun
            latest = earliest + 2 * (end - begun) / self.kills
            seconds = rng.uniform(earliest, latest)
            process = self._start("killed")
            try:
                process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.kill()
            else:
                _check(process)
                return
            process.communicate()
            yield seconds, self._last_step("killed")
        _check(self._start("killed"))

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
        files = (self.folder / name / "checkpoints").glob("step-*.npz")
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    kills, arguments = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(pathlib.Path(folder), tuple(arguments), kills.kills)
        begun, end = soak.run_alone()
        print(f"left alone: first checkpoint after {begun:.0f} s, {end:.0f} s")
        print("| kill | after, s | last checkpoint, step |")
        print("|---|---|---|")
        for number, kill in enumerate(soak.run_killed(begun, end), start=1):
            print(f"| {number} | {kill[0]:.1f} | {kill[1]} |", flush=True)
        differences = soak.differences()
        print("differ:", ", ".join(differences) or "none, bit for bit")
        sys.exit(bool(differences))


if __name__ == "__main__":
    main()
