"""`apps/evaluate.py` and `apps/predict.py`, as a person calls them.

The command lines run in a process of their own: their flags have names that
those of `apps/train.py` have, too.
"""

import csv
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).parent / "evaluation_commands.py"


@pytest.fixture(scope="module")
def attempts(tmp_path_factory):
    """The folder, and a list for each command line by its name."""
    folder = tmp_path_factory.mktemp("commands")
    result = subprocess.run(
        [sys.executable, SCRIPT, folder],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    rows = map(json.loads, result.stdout.splitlines())
    return folder, {name: rest for name, *rest in rows}


def test_bad_input_ends_with_one_line_and_leaves_files_as_they_were(attempts):
    _, rows = attempts
    bad = {name: row for name, row in rows.items() if len(row) == 5}
    assert len(bad) == 18
    for name, (code, _, errors, unchanged, pattern) in bad.items():
        assert code == 2, name
        lines = [
            line
            for line in errors.splitlines()
            if re.match(r"(evaluate|predict)\.py: |Traceback", line)
        ]
        assert len(lines) == 1, (name, errors)
        assert re.search(pattern, lines[0]), (name, lines[0])
        assert unchanged, name


def stored(folder):
    return json.loads((folder / "evaluation.json").read_text())["networks"]


def test_networks_are_evaluated_side_by_side(attempts):
    folder, rows = attempts
    code, output, errors, _ = rows["both"]
    assert not code, errors
    assert "| run | yes | " in output
    name = "runs/evaluation-run-softmax"
    assert f"wrote {name}/reliability.png" in output
    # The landscape was asked for afterwards, and went to the same folder.
    assert f"wrote {name}/line.png" not in output
    code, output, errors, _ = rows["extended"]
    assert not code, errors
    assert f"wrote {name}/line.png" in output
    networks = stored(folder / name)
    assert list(networks) == ["run", "softmax"]
    assert {"eigenvalues", "trace", "line", "plane", "amp"} <= set(
        networks["softmax"]
    )
    assert networks["run"]["amp"]["radii"] == [0.1]


def test_other_options_go_to_another_folder(attempts):
    folder, rows = attempts
    code, _, errors, _ = rows["other_bins"]
    assert not code, errors
    networks = stored(folder / "runs/evaluation-run-softmax-2")
    edges = networks["run"]["predictions"]["before"]["reliability"]["edges"]
    assert edges == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])


def test_images_are_classified(attempts):
    folder, rows = attempts
    code, output, errors, _ = rows["predict"]
    assert not code, errors
    assert "1 images; temperature" in output
    assert "from validation data" in output
    with open(folder / "predictions.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["file"] == "images/a.png"
    assert max(row[str(c)] for c in range(10)) == row["probability"]
