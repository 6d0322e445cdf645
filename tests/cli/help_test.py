"""`--help` of each command, in a process of its own."""

import dataclasses
import os
import pathlib
import re
import subprocess
import sys

import pytest

from amp_keras.experiments.config import TrainingConfig

ROOT = pathlib.Path(__file__).parents[2]


def answer(*arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    "command, title, own",
    [
        ("apps/train.py", "The run", {"output_dir", "checkpoint_steps"}),
        ("tuning/search.py", "The search", {"epsilons", "chief", "output_dir"}),
    ],
)
def test_help_lists_each_flag_once_by_theme(command, title, own):
    result = answer(command, "--epochs=none", "--help")
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert lines[2] == f"Usage: {pathlib.Path(command).name} [--FLAG=VALUE ...]"
    listed = re.findall(r"^  --(\w+)", result.stdout, re.MULTILINE)
    fields = {field.name for field in dataclasses.fields(TrainingConfig)}
    assert fields | {"recipe", "config"} | own <= set(listed)
    assert len(listed) == len(set(listed))
    for theme in ("Data", "Augmentation", "Optimization", title):
        assert theme in lines
    # Every flag has a theme.
    assert "Other" not in lines
    assert "  --weight_decay=0.0005" in lines
    assert "FILE.py:FUNCTION or" in " ".join(result.stdout.split())


def test_start_up_lines_of_tensorflow_do_not_bury_the_answer():
    result = answer("apps/train.py", "--epochs=none")
    assert result.returncode == 2
    assert result.stderr == (
        "train.py: flag --epochs=none: must be a positive integer\n"
    )


def test_help_of_compare():
    result = answer("apps/compare.py", "--help")
    assert result.returncode == 0
    assert "Usage: compare.py [FOLDER ...] [--FLAG=VALUE ...]" in result.stdout


def test_help_after_two_dashes_is_no_question():
    result = answer("apps/train.py", "--", "--help")
    assert result.returncode == 2
    assert "takes flags only. Received: --help" in result.stderr
