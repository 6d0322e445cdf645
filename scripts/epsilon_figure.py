"""One metric against epsilon, for the same methods in several comparisons.

```
python scripts/epsilon_figure.py last_test_error figure.png FOLDER...
```

Each folder has the `comparison.csv` of `apps/compare.py`, and maybe further
seeds (`tests/pooled.py`); there is a panel for each method of which all have
several radii, and a line for each folder.
"""

import pathlib
import re
import sys

import _tests_path  # noqa: F401
import matplotlib.figure
import pooled

from amp_keras.comparison.page import METRICS
from amp_keras.comparison.page import heading

_TITLES = {
    "sam": "SAM",
    "amp": "AMP, the whole batch",
    "amp-eighth": "AMP, the ascent on 1/8 of the batch",
    "amp-inner_fraction-0.0625": "AMP, the ascent on 1/16 of the batch",
}


def main(metric, path, *folders):
    tables = {
        folder.name: pooled.comparison(folder)
        for folder in map(pathlib.Path, folders)
    }
    _figure(metric, tables).savefig(path, dpi=100)


def _figure(metric, tables):
    methods = [
        method
        for method in _TITLES
        if all(len(_radii(rows, method)) > 1 for rows in tables.values())
    ]
    figure = matplotlib.figure.Figure(
        figsize=(5 * len(methods), 4.2), layout="constrained"
    )
    all_axes = figure.subplots(1, len(methods), sharey=True, squeeze=False)[0]
    for axes, method in zip(all_axes, methods):
        for number, (name, rows) in enumerate(tables.items()):
            _draw(axes, f"C{number}", name, rows, method, metric)
        axes.set_title(_TITLES[method])
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
    return figure


def _radii(rows, method):
    """Returns the rows of a method by their radius."""
    return {
        float(found[1]): row
        for row in rows
        if (found := re.fullmatch(f"{method}-epsilon-([^-]+)", row["method"]))
    }


def _draw(axes, color, name, rows, method, metric):
    factor = METRICS[metric][2]
    values = {
        epsilon: factor * float(row[metric])
        for epsilon, row in _radii(rows, method).items()
    }
    axes.plot(*zip(*sorted(values.items())), "o-", color=color, label=name)
    for row in rows:
        if row["method"] == "erm":
            plain = factor * float(row[metric])
            axes.axhline(plain, color=color, linestyle="--", alpha=0.5)


if __name__ == "__main__":
    main(*sys.argv[1:])
