"""Error and loss at the last epoch against the start of the perturbation.

```
python scripts/late_figure.py figure.png FOLDER...
```

Each folder has the `comparison.csv` of `apps/compare.py`, with methods of
several `perturb_from`.
"""

import pathlib
import re
import sys

import _tests_path  # noqa: F401
import matplotlib.figure
import pooled

from amp_keras.comparison.page import METRICS
from amp_keras.comparison.page import heading

_SHOWN = ("last_test_error", "last_test_loss")


def main(path, *folders):
    figure = matplotlib.figure.Figure(
        figsize=(9, 3.2 * len(folders)), layout="constrained"
    )
    grid = figure.subplots(len(folders), len(_SHOWN), squeeze=False)
    for folder, row_of_axes in zip(map(pathlib.Path, folders), grid):
        rows = pooled.comparison(folder)
        for metric, axes in zip(_SHOWN, row_of_axes):
            _draw(axes, rows, metric)
            axes.set_title(folder.name)
            axes.set_ylabel(heading(metric))
    for axes in grid[-1]:
        axes.set_xlabel("begins after this part of the run; dashed: plain")
    figure.savefig(path, dpi=100)


def _draw(axes, rows, metric):
    factor = METRICS[metric][2]
    plain, *others = rows
    axes.axhline(factor * float(plain[metric]), color="gray", linestyle="--")
    starts = sorted(
        ((_start(row), row) for row in others), key=lambda pair: pair[0]
    )
    axes.errorbar(
        [start for start, _ in starts],
        [factor * float(row[metric]) for _, row in starts],
        [factor * float(row[f"{metric}_std"] or 0) for _, row in starts],
        fmt="o-",
        capsize=3,
    )
    axes.grid(alpha=0.3)


def _start(row):
    found = re.search(r"perturb_from-([\d.]+)", row["method"])
    return float(found[1]) if found else 0.0


if __name__ == "__main__":
    main(*sys.argv[1:])
