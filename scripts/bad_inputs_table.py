"""The first table of docs/failures.md: what is said of each bad input.

```
python scripts/bad_inputs_table.py
```

A row whose exit code is not 2 ends with it. `tests/cli/bad_inputs.py` has the
inputs.
"""

import pathlib
import tempfile

import _tests_path  # noqa: F401
import bad_inputs

from amp_keras.experiments import markdown


def main():
    print(markdown.header(["command line", "and", "what it prints"]))
    for case in bad_inputs.CASES:
        with tempfile.TemporaryDirectory() as folder:
            code, lines, _, _ = bad_inputs.attempt(case, pathlib.Path(folder))
        row = bad_inputs.row(case, " / ".join(lines))
        print(row, "" if code == 2 else code, flush=True)


if __name__ == "__main__":
    main()
