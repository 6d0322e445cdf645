"""The table of docs/install.md: what an installation brings and weighs.

```
python scripts/install_sizes.py ccd6f98 HEAD
```

Makes a fresh environment for each revision and extra, with pip, and prints its
size, as `du` finds it, and its packages. pip is told which PyTorch to take by
its own variables: `PIP_CONSTRAINT`, or `PIP_INDEX_URL` with an index of CPU
builds; the CUDA build is 20 times as large.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import venv

from amp_keras.experiments import markdown

_EXTRAS = ("", "jax", "torch", "apps")
# They are in every fresh environment.
_TOOLS = {"pip", "setuptools"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("revisions", nargs="+", help="what git knows")
    parser.add_argument(
        "--extras", nargs="*", default=_EXTRAS, help="of setup.cfg"
    )
    parser.add_argument(
        "--directory", help="where to keep the environments; they are large"
    )
    arguments = parser.parse_args()
    columns = ["revision", "command", "packages", "MB", "the packages"]
    print(markdown.header(columns))
    with tempfile.TemporaryDirectory() as temporary:
        directory = pathlib.Path(arguments.directory or temporary)
        for revision in arguments.revisions:
            for extra in arguments.extras:
                print(_row(directory, revision, extra), flush=True)


def _row(directory, revision, extra):
    requirement = f".[{extra}]" if extra else "."
    environment = directory / f"{revision}-{extra or 'plain'}"
    python = environment / "bin" / "python"
    if not python.exists():
        venv.create(environment, with_pip=True)
        _install(python, revision, extra)
    packages = _packages(python)
    return markdown.row(
        [
            revision,
            f"`pip install {requirement}`",
            len(packages),
            _megabytes(environment),
            ", ".join(packages),
        ]
    )


def _install(python, revision, extra):
    with tempfile.TemporaryDirectory() as source:
        archive = subprocess.run(
            ["git", "archive", revision], check=True, capture_output=True
        )
        subprocess.run(
            ["tar", "-x", "-C", source], input=archive.stdout, check=True
        )
        requirement = f"{source}[{extra}]" if extra else source
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", requirement],
            check=True,
            stdout=sys.stderr,
        )


def _packages(python):
    """Returns the names of what is installed, amp-keras and tools left out."""
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=json"],
        check=True,
        capture_output=True,
    )
    names = {package["name"] for package in json.loads(listed.stdout)}
    return sorted(names - _TOOLS - {"amp-keras"}, key=str.lower)


def _megabytes(environment):
    printed = subprocess.run(
        ["du", "--summarize", "--block-size=1M", environment],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(printed.stdout.split()[0])


if __name__ == "__main__":
    main()
