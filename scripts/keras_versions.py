"""The table of docs/install.md: the releases of Keras that the step runs with.

```
python scripts/keras_versions.py keras==3.12.0 keras==3.15.1 keras-nightly
```

Each release is installed beside the environment of the tests, without what it
depends on, and the tests of the step are run with it on all backends. Then come
the private attributes of Keras' models and optimizers that `AMPModel` mentions,
and whether each release has them.
"""

import argparse
import ast
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from amp_keras.experiments import markdown

_ROOT = pathlib.Path(__file__).parents[1]
_BACKENDS = ("tensorflow", "jax", "torch")
_TESTS = ("amp_model_test.py", "train_step_test.py")
# `fit` sets some attributes.
_PRIVATE = """
import json
import keras
import numpy as np

model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(np.zeros((2, 1)), np.zeros((2, 1)), verbose=0)
names = {*dir(model), *dir(model.optimizer)}
private = [name for name in names if name[0] == "_" and name[:2] != "__"]
print(json.dumps([keras.version(), private]))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("requirements", nargs="+", help="as pip takes them")
    parser.add_argument("--tests", nargs="*", default=_TESTS, help="in tests/")
    arguments = parser.parse_args()
    print(markdown.header(["Keras", *_BACKENDS]), flush=True)
    attributes = {}
    for requirement in arguments.requirements:
        with tempfile.TemporaryDirectory() as folder:
            _install(requirement, folder)
            version, names = _private_attributes(folder)
            attributes[version] = set(names)
            results = [_test(folder, b, arguments.tests) for b in _BACKENDS]
            print(markdown.row([version, *results]), flush=True)
    print()
    _print_attributes(attributes)


def _install(requirement, folder):
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run(
        [*pip, "--target", folder, requirement], check=True, stdout=sys.stderr
    )


def _run(folder, backend, *arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            "PYTHONPATH": os.pathsep.join([folder, str(_ROOT)]),
        },
    )


def _private_attributes(folder):
    lines = _run(folder, "jax", "-c", _PRIVATE).stdout.splitlines()
    return json.loads(lines[-1])


def _test(folder, backend, tests):
    """Returns the last line of pytest, such as `60 passed`."""
    paths = [f"tests/{name}" for name in tests]
    result = _run(folder, backend, "-m", "pytest", "--no-header", *paths)
    lines = result.stdout.splitlines()
    print(*lines, sep="\n", file=sys.stderr)
    return lines[-1].partition(" in ")[0].strip("= ")


def _print_attributes(attributes):
    print(markdown.header(["attribute", *attributes]))
    for name in sorted(_mentioned() & set().union(*attributes.values())):
        has = ("yes" if name in of else "no" for of in attributes.values())
        print(markdown.row([f"`{name}`", *has]))


def _mentioned():
    """Returns the private names that AMPModel reads, sets or overrides."""
    package = _ROOT / "amp_keras"
    names = set()
    for path in [*package.glob("*.py"), *package.glob("backend/*/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                names.add(node.attr)
            elif isinstance(node, ast.FunctionDef):
                names.add(node.name)
    return {name for name in names if name[0] == "_" and name[:2] != "__"}


if __name__ == "__main__":
    main()
