"""The table of docs/parity.md: `fit()` against AMP written in NumPy.

```
python scripts/parity_table.py
```

It has the largest difference of weights, batch statistics and losses to
`tests/numpy_amp.py`. Each backend runs in a process of its own.
"""

import json
import sys

import _tests_path  # noqa: F401
import every_backend
import keras
import parity

from amp_keras.experiments import markdown


def main():
    titles = map(parity.title, parity.CASES)
    print(markdown.header(["backend", "mode", *titles]))
    for backend in parity.MODES:
        (output,) = every_backend.lines(__file__, backend, "measure")
        for mode, row in json.loads(output).items():
            cells = [f"{difference:.1e}" for difference in row]
            print(markdown.row([backend, mode, *cells]), flush=True)


def measure():
    """Prints the differences on the active backend, as JSON."""
    modes = parity.MODES[keras.config.backend()]
    rows = {
        mode: [parity.largest_difference(c, arguments) for c in parity.CASES]
        for mode, arguments in modes.items()
    }
    print(json.dumps(rows))


if __name__ == "__main__":
    measure() if sys.argv[1:] == ["measure"] else main()
