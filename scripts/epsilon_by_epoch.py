"""The radius by epoch, of runs in which it was set during the run.

```
python scripts/epsilon_by_epoch.py figure.png RUN...
```

Each folder is that of a run, `NAME/runs/METHOD-seedSEED`.
"""

import csv
import pathlib
import sys

import matplotlib.figure


def main(path, *runs):
    figure = matplotlib.figure.Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for run in map(pathlib.Path, runs):
        name, method = run.parts[-3], run.name
        epsilons = _epsilons(run)
        axes.plot(
            range(1, len(epsilons) + 1),
            epsilons,
            label=f"{name.removeprefix('gate-')}, {method}",
        )
    axes.set_xlabel("epoch")
    axes.set_ylabel("epsilon")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="x-small", frameon=False)
    figure.savefig(path, dpi=100)


def _epsilons(run):
    with open(run / "history.csv", newline="") as file:
        return [float(row["epsilon"]) for row in csv.DictReader(file)]


if __name__ == "__main__":
    main(*sys.argv[1:])
