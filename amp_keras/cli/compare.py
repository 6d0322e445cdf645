"""The command that compares finished runs: `apps/compare.py`."""

import json
import pathlib

from absl import app

from amp_keras.cli import command_line

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


def compare(folders):
    """Returns a Markdown table with a row for each finished run.

    Args:
        folders: Paths of run folders. Those without `metrics.json` belong to
            runs that have not finished and are left out.

    Returns:
        String.

    Raises:
        FileNotFoundError: If no run has finished.
    """
    files = [pathlib.Path(folder) / "metrics.json" for folder in folders]
    runs = [json.loads(file.read_text()) for file in files if file.exists()]
    if not runs:
        raise FileNotFoundError(
            f"no finished run among the folders. Received: {list(folders)}"
        )
    lines = [_COLUMNS, ["---"] * len(_COLUMNS)]
    lines += [[_cell(run[column]) for column in _COLUMNS] for run in runs]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main(argv):
    if len(argv) == 1:
        command_line.fail("name the folders of runs, such as runs/*")
    try:
        print(compare(argv[1:]))
    except FileNotFoundError as error:
        command_line.fail(error)


def run():
    """The command, from `sys.argv` to its exit code."""
    app.run(main)
