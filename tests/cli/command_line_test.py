"""What is the same in every command."""

import inspect
import re
import subprocess
import sys

import pytest

import amp_keras_commands
from amp_keras.cli import command_line

COMMANDS = [
    name
    for name, function in vars(amp_keras_commands).items()
    if inspect.isfunction(function) and not name.startswith("_")
]

# The flags of two commands do not fit in one process, and to import what they
# share takes longer than the rest.
RAISE_IN_EACH = """
import importlib
import os
import sys

from amp_keras.errors import AMPKerasError
from amp_keras.experiments import train_and_evaluate


def fails(*arguments):
    raise AMPKerasError("first line\\nsecond line")


for name in sys.argv[1:]:
    process = os.fork()
    if process == 0:
        sys.argv = [f"{name}.py"]
        module = importlib.import_module(f"amp_keras.cli.{name}")
        module.main = fails
        module.run()
    _, status = os.waitpid(process, 0)
    print(name, os.waitstatus_to_exitcode(status), flush=True)
"""


def test_error_of_any_command_is_one_line_with_exit_code_2():
    assert {"train", "compare", "evaluate", "predict", "search"} <= {*COMMANDS}
    result = subprocess.run(
        [sys.executable, "-c", RAISE_IN_EACH, *COMMANDS],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.splitlines() == [f"{name} 2" for name in COMMANDS]
    lines = [
        line
        for line in result.stderr.splitlines()
        if "first line" in line or "second line" in line
    ]
    assert lines == [f"{name}.py: first line second line" for name in COMMANDS]
    assert "Traceback" not in result.stderr


def test_other_errors_keep_their_traceback(monkeypatch):
    def fails():
        raise ValueError("a mistake in the code")

    monkeypatch.setattr(sys, "argv", ["command.py"])
    with pytest.raises(ValueError, match="a mistake in the code"):
        command_line.run(fails)


@pytest.mark.parametrize("takes, code", [(None, 2), ("FOLDER ...", None)])
def test_arguments_beside_flags_are_for_commands_that_take_them(
    takes, code, monkeypatch, capsys
):
    received = []
    monkeypatch.setattr(sys, "argv", ["command.py"])
    with pytest.raises(SystemExit) as exit:
        command_line.run(
            lambda *folders: received.append(folders),
            ["command.py", "a", "b"],
            takes,
        )
    assert exit.value.code == code
    assert received == ([] if code else [("a", "b")])
    if code:
        error = capsys.readouterr().err
        assert error == "command.py: takes flags only. Received: a b\n"


@pytest.mark.parametrize(
    "argument, said",
    [
        ("--perturb=" + "(" * 5000, "at most 4096 characters.*, 5010$"),
        ("--output_dir=\udcff", r"must be UTF-8. .*'--output_dir=\\udcff'$"),
    ],
)
def test_argument_that_no_flag_can_hold(argument, said, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["command.py"])
    with pytest.raises(SystemExit) as exit:
        command_line.run(print, ["command.py", argument])
    assert exit.value.code == 2
    assert re.search(said, capsys.readouterr().err.rstrip())
