"""The table of docs/distribution.md: how far runs differ that are spread.

```
python scripts/processes_table.py
```

Trains ResNet-20 on digits with JAX: on one device, on two devices of one
process, and in two processes that talk over the loopback interface.
"""

import os
import pathlib
import tempfile

import _tests_path  # noqa: F401
import processes

from amp_keras.experiments import markdown

_ROWS = {
    "two devices": "devices",
    "two processes": "processes",
    "(no training at all)": "still",
}


def main():
    os.environ["KERAS_BACKEND"] = "jax"
    with tempfile.TemporaryDirectory() as folder:
        runs = pathlib.Path(folder)
        _train(runs / "one")
        _train(runs / "still", "--learning_rate=0")
        _train(runs / "devices", XLA_FLAGS=processes.TWO_DEVICES)
        processes.run_two_processes(runs / "processes")
        print(markdown.header(["run", "largest difference to one device"]))
        for title, name in _ROWS.items():
            difference = processes.largest_difference(runs / name, runs / "one")
            print(markdown.row([title, f"{difference:.1e}"]))


def _train(run, *arguments, **environment):
    processes.finish(
        processes.start(f"--output_dir={run}", *arguments, **environment)
    )


if __name__ == "__main__":
    main()
