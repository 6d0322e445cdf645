"""Methods of several comparisons in one table.

```
python scripts/comparisons_table.py FOLDER...
python scripts/comparisons_table.py --chosen --methods=erm,adaptive FOLDER...
python scripts/comparisons_table.py --renew README.md docs/*.md
```

The first two print a new table (`tests/comparison_tables.py` says what is in
it), `--renew` writes those that are in Markdown pages anew.
"""

import argparse
import pathlib

import _tests_path  # noqa: F401
import comparison_tables
import method_tables


def main():
    flags = _parse_arguments()
    if flags.renew:
        for path in flags.paths:
            text = comparison_tables.renewed(path.read_text(), path.parent)
            path.write_text(method_tables.renewed(text, path.parent))
    else:
        methods = flags.methods.split(",")
        print(
            comparison_tables.table(
                flags.paths, methods, flags.chosen, flags.mean
            )
        )


def _parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("paths", nargs="+", type=pathlib.Path)
    parser.add_argument(
        "--methods", default=",".join(comparison_tables.HEADERS)
    )
    parser.add_argument("--chosen", action="store_true")
    parser.add_argument("--mean", action="store_true")
    parser.add_argument("--renew", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
