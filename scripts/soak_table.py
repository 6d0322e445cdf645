"""The table of docs/training.md: kills a run at random moments.

```
python scripts/soak_table.py --kills=20 --dataset=cifar10 ...
```

What follows `--kills` goes to `apps/train.py`. A run left alone gives the
result to be reached; `tests/experiments/soak.py` kills and starts the other.
The weights, the history and the metrics of the two must be equal bit for bit.
The exit code is 1 if they are not.
"""

import argparse
import pathlib
import sys
import tempfile

import _tests_path  # noqa: F401
import soak

from amp_keras.experiments import markdown


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    kills, arguments = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = soak.Soak(pathlib.Path(folder), tuple(arguments), kills.kills)
        first, second, end = runs.run_alone()
        print(f"left alone: first checkpoint after {first:.0f} s, {end:.0f} s")
        print(markdown.header(["kill", "after, s", "last checkpoint, step"]))
        for number, kill in enumerate(runs.run_killed(first, second), start=1):
            seconds, step = kill
            print(markdown.row([number, f"{seconds:.1f}", step]), flush=True)
        differences = runs.differences()
        print("differ:", ", ".join(differences) or "none, bit for bit")
        sys.exit(bool(differences))


if __name__ == "__main__":
    main()
