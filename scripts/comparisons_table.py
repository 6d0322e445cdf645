"""The last epochs of several comparisons in one table.

```
python scripts/comparisons_table.py FOLDER...
```

Each folder has the `comparison.csv` of `apps/compare.py`: test error (%) and
NLL at the last epoch, mean and standard deviation over seeds.
"""

import csv
import pathlib
import sys

from amp_keras.experiments import markdown


def main(folders):
    rows = [
        [pathlib.Path(folder).name, *_cells(row)]
        for folder in folders
        for row in _read(folder)
    ]
    columns = ["comparison", "method", "seeds", "test error %", "test NLL"]
    print(markdown.table(columns, rows))


def _read(folder):
    with open(pathlib.Path(folder) / "comparison.csv", newline="") as file:
        return list(csv.DictReader(file))


def _cells(row):
    return [
        row["title"],
        row["seeds"],
        _mean_and_std(row, "last_test_error", 100, 1),
        _mean_and_std(row, "last_test_loss", 1, 3),
    ]


def _mean_and_std(row, name, factor, decimals):
    mean = f"{factor * float(row[name]):.{decimals}f}"
    std = row[f"{name}_std"]
    return f"{mean} ± {factor * float(std):.{decimals}f}" if std else mean


if __name__ == "__main__":
    main(sys.argv[1:])
