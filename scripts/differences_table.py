"""Paired differences to plain training in several comparisons, over all seeds.

```
python scripts/differences_table.py last_test_error FOLDER...
```

A row is a method of a comparison that `apps/compare.py` has written, with the
further seeds that it may have (`tests/pooled.py`).
"""

import pathlib
import sys

import _tests_path  # noqa: F401
import pooled

from amp_keras.comparison.page import METRICS
from amp_keras.comparison.page import heading
from amp_keras.experiments import markdown


def main(metric, *folders):
    columns = ["comparison", "method", "difference", "95 % interval, seeds"]
    rows = [
        _row(folder, row)
        for folder in map(pathlib.Path, folders)
        for row in pooled.differences(folder)
        if row["metric"] == metric
    ]
    print(f"{heading(metric)}, minus that of plain training:\n")
    print(markdown.table([*columns, "seeds that agree"], rows))


def _row(folder, row):
    _, _, factor, decimals = METRICS[row["metric"]]
    difference, low, high = (
        "-" if row[name] == "" else f"{factor * row[name]:+.{decimals}f}"
        for name in ("difference", "low", "high")
    )
    interval = "-" if low == "-" else f"{low} to {high}"
    agree = "-" if row["agree"] == "" else f"{row['agree']} of {row['seeds']}"
    return [folder.name, row["title"], difference, interval, agree]


if __name__ == "__main__":
    main(*sys.argv[1:])
