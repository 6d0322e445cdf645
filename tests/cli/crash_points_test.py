"""A command that is killed at any of its file operations ends the same."""

import os
import pathlib
import subprocess
import sys

import crash_points
import keras
import pytest

ROOT = pathlib.Path(__file__).parents[2]
DOCS = ROOT / "docs" / "failures.md"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train", "search"])
def test_killed_command_ends_as_one_left_alone(name):
    """In a process that has computed nothing, of which others are forked."""
    result = subprocess.run(
        [sys.executable, ROOT / "scripts" / "crash_points_table.py", name],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-10_000:]
    *_, points, same, _ = result.stdout.splitlines()[-1].split("|")
    assert int(points) == int(same) > 60
    if keras.config.backend() == "tensorflow":
        assert result.stdout in DOCS.read_text()


def killed_before(path, kind="rename", is_torn=False):
    return crash_points.Operation(kind, path, is_torn)


def test_table_counts_points_by_file():
    opened = killed_before(".new-a.csv", "open to write")
    results = [
        (opened, ""),
        (killed_before(".new-a.csv", "open to write", True), "differ"),
        (killed_before(".new-a.csv"), ""),
        (killed_before("step-1"), "differ"),
        (killed_before("step-22"), ""),
    ]
    assert crash_points.table(results).splitlines()[2:] == [
        "| `a.csv` | just opened 1, open to write 1, rename 1 | 3 | 2 |",
        "| `step-N` | rename 2 | 2 | 1 |",
        "| all |  | 5 | 3 |",
    ]
