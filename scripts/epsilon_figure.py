"""One metric against epsilon, for the same methods in several comparisons.

```
python scripts/epsilon_figure.py last_test_error figure.png FOLDER...
```

Each folder has the `comparison.csv` of `apps/compare.py`; there is a panel for
each method of which it has several radii, and a line for each folder.
"""

import csv
import pathlib
import re
import sys

import matplotlib.figure

from amp_keras.comparison.page import METRICS
from amp_keras.comparison.page import heading

_PANELS = {
    "amp": "AMP, the whole batch",
    "amp-eighth": "AMP, the ascent on 1/8 of the batch",
}


def main(metric, path, *folders):
    figure = matplotlib.figure.Figure(figsize=(10, 4.2), layout="constrained")
    tables = {pathlib.Path(folder).name: _rows(folder) for folder in folders}
    all_axes = figure.subplots(1, len(_PANELS), sharey=True)
    for axes, (method, title) in zip(all_axes, _PANELS.items()):
        for number, (name, rows) in enumerate(tables.items()):
            _draw(axes, f"C{number}", name, rows, method, metric)
        axes.set_title(title)
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlabel("epsilon (dashed: plain training)")
        axes.grid(alpha=0.3)
    all_axes[0].set_ylabel(heading(metric))
    figure.legend(
        *all_axes[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=4,
        frameon=False,
    )
    figure.savefig(path, dpi=100)


def _rows(folder):
    with open(pathlib.Path(folder) / "comparison.csv", newline="") as file:
        return list(csv.DictReader(file))


def _draw(axes, color, name, rows, method, metric):
    factor = METRICS[metric][2]
    radii = {
        float(found[1]): factor * float(row[metric])
        for row in rows
        if (found := re.fullmatch(f"{method}-epsilon-([^-]+)", row["method"]))
    }
    axes.plot(*zip(*sorted(radii.items())), "o-", color=color, label=name)
    for row in rows:
        if row["method"] == "erm":
            plain = factor * float(row[metric])
            axes.axhline(plain, color=color, linestyle="--", alpha=0.5)


if __name__ == "__main__":
    main(*sys.argv[1:])
