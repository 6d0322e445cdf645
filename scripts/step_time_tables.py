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
}


def main(paths):
    measured = {
        pathlib.Path(path).stem: json.loads(pathlib.Path(path).read_text())
        for path in paths
    }
    for title, cell in TABLES.items():
        print(f"{title}:\n\n{_table(measured, cell)}\n")
    for result in measured.values():
        print(f"    KERAS_BACKEND={result['backend']} {result['command']}")


def _table(measured, cell):
    kinds = next(iter(measured.values()))["results"]
    rows = [
        [name, *(cell(result["results"][kind]) for kind in kinds)]
        for name, result in measured.items()
    ]
    return markdown.table(["", *kinds], rows)


if __name__ == "__main__":
    main(sys.argv[1:])
