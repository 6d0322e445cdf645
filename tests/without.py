"""Python code run as if packages were not installed."""

import os
import subprocess
import sys

_HIDE = """
from importlib.machinery import PathFinder
find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *args: (
    None if name in {packages} else find(name, *args)
)
"""


def run_without(packages, code, arguments=(), **environment):
    """Runs code in a process of its own.

    Args:
        packages: Set of strings, the top-level packages to hide.
        code: String, what to run.
        arguments: Strings, the rest of `sys.argv`.
        environment: Environment variables; `None` removes one.

    Returns:
        A `subprocess.CompletedProcess` with text.
    """
    variables = {**os.environ, **environment}
    return subprocess.run(
        [
            sys.executable,
            "-c",
            _HIDE.format(packages=set(packages)) + code,
            *arguments,
        ],
        capture_output=True,
        text=True,
        env={k: v for k, v in variables.items() if v is not None},
    )
