"""The command that compares finished runs: `apps/compare.py`."""

import pathlib

from absl import app

from amp_keras.cli import command_line
from amp_keras.experiments import json_file

_COLUMNS = (
    "dataset",
    "model",
    "norm",
    "epsilon",
    "inner_iters",
    "seed",
    "epochs",
    "test_accuracy",
    "test_loss",
    "test_ece",
    "seconds",
)
# Of runs on data with known wrong labels, and unknown to older versions.
_LABELS = "wrong_label_share"


def compare(folders):
    """Returns a Markdown table with a row for each finished run.

    Args:
        folders: Paths of run folders. Those without `metrics.json` belong to
            runs that have not finished and are left out.

    Returns:
        String.

    Raises:
        DamagedFileError: If a `metrics.json` is not that of a run.
        FileNotFoundError: If no run has finished.
    """
    runs = [_measures(pathlib.Path(folder)) for folder in folders]
    runs = [run for run in runs if run is not None]
    if not runs:
        raise FileNotFoundError(
            f"no finished run among the folders. Received: {list(folders)}"
        )
    columns = _COLUMNS
    if any(run.get(_LABELS) for run in runs):
        columns = (*_COLUMNS, _LABELS)
    lines = [columns, ["---"] * len(columns)]
    lines += [[_cell(run.get(column)) for column in columns] for run in runs]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _measures(folder):
    kinds = dict.fromkeys(_COLUMNS, (int, float, str))
    try:
        return json_file.read_object(folder / "metrics.json", kinds)
    except json_file.DamagedFileError as error:
        raise json_file.DamagedFileError(
            f"{error}: put back the file that was there, or leave {folder} out"
        ) from error


def _cell(value):
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main(argv):
    if len(argv) == 1:
        command_line.fail("name the folders of runs, such as runs/*")
    try:
        print(compare(argv[1:]))
    except (FileNotFoundError, json_file.DamagedFileError) as error:
        command_line.fail(error)


def run():
    """The command, from `sys.argv` to its exit code."""
    app.run(main)
