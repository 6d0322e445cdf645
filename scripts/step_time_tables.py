"""The tables of docs/performance.md, of what `benchmarks/step_time.py` wrote.

```
python scripts/step_time_tables.py docs/results/step_time/*.json
```
"""

import json
import pathlib
import statistics
import sys

from amp_keras.experiments import markdown

TABLES = {
    "Times of a step as multiples of so many plain steps, and their spread": (
        lambda r: (
            f"{r['to_arithmetic']:.2f} ({100 * r['of_plain_spread']:.0f} %)"
        )
    ),
    "Milliseconds of a step": (
        lambda r: f"{1000 * statistics.median(r['seconds']):.2f}"
    ),
    "Seconds of the first step": lambda r: f"{r['compile_seconds']:.1f}",
    "Images a second, as multiples of the authors', and their spread": (
        lambda r: (
            f"{r['speed_to_authors']:.2f} "
            f"({100 * r['speed_to_authors_spread']:.0f} %)"
        )
    ),
    "MiB that a process has held at most, and how many of them over plain": (
        lambda r: f"{r['mib']:.0f} ({r['mib_over_plain']:.0f})"
    ),
}


def main(paths):
    measured = {
        pathlib.Path(path).stem: json.loads(pathlib.Path(path).read_text())
        for path in paths
    }
    for title, cell in TABLES.items():
        rows = [_row(name, result, cell) for name, result in measured.items()]
        if any(len(row) > 1 for row in rows):
            print(f"{title}:\n\n{_table(rows)}\n")
    for result in measured.values():
        print(f"    KERAS_BACKEND={result['backend']} {result['command']}")


def _row(name, measured, cell):
    """Returns cells by kind; some kinds lack some measurements."""
    row = {"": name}
    for kind, result in measured["results"].items():
        try:
            row[kind] = cell(result)
        except KeyError:
            pass
    return row


def _table(rows):
    titles = {title: title for row in rows for title in row}
    return markdown.table_of_dicts(rows, titles)


if __name__ == "__main__":
    main(sys.argv[1:])
