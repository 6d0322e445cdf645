"""Breaks the method one line at a time and prints the test that notices.

```
python scripts/run_mutations.py            # all of them, about half an hour
python scripts/run_mutations.py ascent     # those with "ascent" in their name
```

Each change of `tests/mutations.py` is made to a copy of the project in a
temporary folder, and tested on the backend that it concerns. The exit code is 1
if a broken method passes the tests.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import _tests_path  # noqa: F401
import mutations

TESTS = (
    "tests/perturbation_test.py",
    "tests/train_step_test.py",
    "tests/inner_fraction_test.py",
    "tests/parity_test.py",
    "tests/plain_fit_test.py",
    "tests/precision_test.py",
    "tests/any_model_test.py",
    "tests/amp_model_test.py",
    "tests/perturb_test.py",
    "tests/perturbation_metrics_test.py",
    "tests/callbacks_test.py",
    "tests/distribution_test.py",
)


def main(words):
    survived = 0
    for name, *change in mutations.MUTATIONS:
        if all(word in name for word in words):
            failure = _first_failure(*change)
            survived += failure is None
            print(f"{name}: {failure or 'NOT NOTICED'}", flush=True)
    return survived > 0


def _first_failure(file, old, new):
    """Returns the test that fails after the change, or `None`."""
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder)
        for part in ("amp_keras", "apps", "tests"):
            shutil.copytree(mutations.ROOT / part, copy / part)
        shutil.copy(mutations.ROOT / "setup.cfg", copy)
        text = (copy / file).read_text()
        (copy / file).write_text(text.replace(old, new))
        environment = {"PYTHONPATH": folder, "KERAS_BACKEND": _backend(file)}
        result = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "--tb=no", *TESTS],
            cwd=copy,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
        )
    for line in result.stdout.splitlines():
        if line.startswith(("FAILED", "ERROR")):
            return line.split(" - ")[0]
    return None


def _backend(file):
    """The backend of a trainer, or TensorFlow for what all share."""
    parts = pathlib.Path(file).parts
    return parts[2] if "backend" in parts else "tensorflow"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
