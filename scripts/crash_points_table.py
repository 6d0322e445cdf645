"""The last tables of docs/failures.md: a command that is killed at any point.

```
python scripts/crash_points_table.py train     # or search
```

`tests/cli/crash_points.py` has what is done and compared. The exit code is 1 if
a command that was killed and given again ends otherwise than one left alone.
"""

import argparse
import pathlib
import sys
import tempfile

import _tests_path  # noqa: F401
import crash_points


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=list(crash_points.ARGUMENTS))
    name = parser.parse_args().command
    crash_points.prepare(name)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for operation, fault in crash_points.run(name, pathlib.Path(folder)):
            results.append((operation, fault))
            if fault:
                print(f"{operation}: {fault}", file=sys.stderr, flush=True)
    print(crash_points.table(results))
    sys.exit(any(fault for _, fault in results))


if __name__ == "__main__":
    main()
