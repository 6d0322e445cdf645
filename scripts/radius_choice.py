"""Whether validation data with wrong labels find the radius.

```
python scripts/radius_choice.py FOLDER...
```

Each folder has the `comparison.csv` of `apps/compare.py`, and maybe further
seeds (`tests/pooled.py`). A row is a method of which there are several radii.
It has the radius of the lowest test error at the last epoch, that of the lowest
validation loss and that of the highest validation accuracy, each with its error
(%) at the last epoch.
"""

import pathlib
import sys

import _tests_path  # noqa: F401
import pooled

from amp_keras.experiments import markdown

_COLUMNS = ("comparison", "method", "best", "by loss", "by accuracy")
# Points of error that a choice may be worse than the best to count as found.
_NEAR = 0.3


def main(*folders):
    curves = [
        (pathlib.Path(folder).name, method, _choices(radii))
        for folder in folders
        for method, radii in _curves(folder).items()
    ]
    rows = [(*name, *map(_cell, choices)) for *name, choices in curves]
    print(markdown.table(_COLUMNS, rows))
    for number, by in ((1, "loss"), (2, "accuracy")):
        found = sum(_is_near(choices, number) for *_, choices in curves)
        print(f"\nFound by {by}: {found} of {len(curves)}")


def _curves(folder):
    """Returns the rows of each method by its name, one for each radius."""
    curves = {}
    for row in pooled.comparison(pathlib.Path(folder)):
        method, _, epsilon = row["method"].partition("-epsilon-")
        if epsilon:
            curves.setdefault(method, []).append(row)
    return curves


def _choices(rows):
    """Returns the rows of the best radius and of those that would be chosen."""
    return (
        min(rows, key=lambda row: float(row["last_test_error"])),
        min(rows, key=lambda row: float(row["val_loss"])),
        max(rows, key=lambda row: float(row["val_accuracy"])),
    )


def _cell(row):
    epsilon = row["method"].partition("-epsilon-")[2]
    return f"{epsilon}: {_error(row):.1f}"


def _is_near(choices, number):
    return _error(choices[number]) <= _error(choices[0]) + _NEAR


def _error(row):
    return 100 * float(row["last_test_error"])


if __name__ == "__main__":
    main(*sys.argv[1:])
