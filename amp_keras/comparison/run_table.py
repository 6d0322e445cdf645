"""A table of finished runs, whatever they are of."""

import pathlib

from amp_keras.errors import AMPKerasError
from amp_keras.experiments import json_file
from amp_keras.experiments import markdown
from amp_keras.experiments import metrics

_FACTS = (
    "dataset",
    "model",
    "norm",
    "epsilon",
    "inner_iters",
    "seed",
    "epochs",
)
# Those of every version: a metric that is added leaves earlier runs readable.
_REQUIRED = (*_FACTS, "test_accuracy", "test_loss", "test_ece", "seconds")
# Of runs on data with known wrong labels, and unknown to older versions.
_LABELS = "wrong_label_share"


def table(folders):
    """Returns a Markdown table with a row for each finished run.

    Args:
        folders: Paths of run folders. Those without `metrics.json` belong to
            runs that have not finished and are left out.

    Returns:
        String.

    Raises:
        AMPKerasError: If a `metrics.json` is not that of a run, or no run has
            finished.
    """
    runs = [_metrics(pathlib.Path(folder)) for folder in folders]
    runs = [run for run in runs if run is not None]
    if not runs:
        raise AMPKerasError(
            f"no finished run among the folders. Received: {list(folders)}"
        )
    columns = [*_FACTS, *(f"test_{m.key}" for m in metrics.METRICS), "seconds"]
    if any(run.get(_LABELS) for run in runs):
        columns.append(_LABELS)
    return markdown.table_of_dicts(runs, {name: name for name in columns})


def _metrics(folder):
    kinds = dict.fromkeys(_REQUIRED, (int, float, str))
    try:
        return json_file.read_object(folder / "metrics.json", kinds)
    except AMPKerasError as error:
        raise AMPKerasError(
            f"{error}: put back the file that was there, or leave {folder} out"
        ) from error
