import json

import pytest

from amp_keras.cli import command_line
from amp_keras.cli import compare
from amp_keras.comparison import run_table

RUN = {
    "dataset": "digits",
    "model": "resnet20",
    "norm": "global",
    "epsilon": 0.02,
    "inner_iters": 1,
    "seed": 0,
    "epochs": 30,
    "test_accuracy": 0.98333,
    "test_loss": 0.0429,
    "test_ece": 0.0111,
    "seconds": 49.6,
}


def write_run(folder, **changes):
    folder.mkdir()
    (folder / "metrics.json").write_text(json.dumps({**RUN, **changes}))
    return folder


def run(folder):
    """Runs `python apps/compare.py FOLDER`."""
    argv = ["compare.py", folder]
    command_line.run(compare.main, argv, takes="FOLDER")


def test_each_finished_run_has_a_row(tmp_path):
    amp = write_run(tmp_path / "amp", test_brier=0.051)
    erm = write_run(tmp_path / "erm", epsilon=0.0, test_loss=0.0523)
    (tmp_path / "unfinished").mkdir()
    table = run_table.table([amp, tmp_path / "unfinished", erm]).splitlines()
    assert len(table) == 4
    row = "digits | resnet20 | global | 0.02 | 1 | 0 | 30 | 0.9833 | 0.0429"
    assert table[2] == f"| {amp} | {row} | 0.051 | 0.0111 | 49.6 |"
    # An earlier version has computed no Brier score.
    assert "| 0 | 1 | 0 | 30 | 0.9833 | 0.0523 | - | 0.0111 |" in table[3]


def test_settings_that_differ_have_columns(tmp_path):
    folders = [write_run(tmp_path / name) for name in ("old", "a", "b", "bare")]
    configs = [{}, {"crop": 4, "verbose": 2}, {"crop": 2, "batch_size": 64}]
    for folder, config in zip(folders, configs):
        (folder / "config.json").write_text(json.dumps(config))
    head, _, *rows = run_table.table(folders).splitlines()
    assert "| epochs | batch_size | crop | test_accuracy |" in head
    found = [row.split(" | ")[8:10] for row in rows]
    assert found == [["128", "-"], ["128", "4"], ["64", "2"], ["-", "-"]]


def test_no_finished_run_says_so(tmp_path, capsys):
    with pytest.raises(SystemExit) as exit:
        run(str(tmp_path / "nothing"))
    assert exit.value.code == 2
    assert "no finished run" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content, fault",
    [
        ("", "is empty"),
        ('{"seed":', "is not JSON"),
        ("[]", "holds no JSON object"),
        ('{"dataset": "digits"}', "has no `model`, or a wrong one"),
    ],
)
def test_damaged_metrics_are_named(content, fault, tmp_path, capsys):
    folder = write_run(tmp_path / "run")
    (folder / "metrics.json").write_text(content)
    with pytest.raises(SystemExit) as exit:
        run(str(folder))
    assert exit.value.code == 2
    error = capsys.readouterr().err
    assert f"{folder / 'metrics.json'} {fault}" in error
    assert error.endswith(f"or leave {folder} out\n")
