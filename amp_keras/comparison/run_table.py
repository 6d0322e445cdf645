"""A table of finished runs, whatever they are of."""

import dataclasses
import pathlib

from amp_keras.errors import AMPKerasError
from amp_keras.experiments import json_file
from amp_keras.experiments import markdown
from amp_keras.experiments import metrics
from amp_keras.experiments.config import TrainingConfig
from amp_keras.experiments.run_directory import RunDirectory

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
_KINDS = dict.fromkeys(_REQUIRED, (int, float, str))
_DEFAULTS = {
    name: value
    for name, value in dataclasses.asdict(TrainingConfig()).items()
    if name not in RunDirectory.free
}
# Of runs on data with known wrong labels, and unknown to older versions.
_LABELS = "wrong_label_share"


def table(folders):
    """Returns a Markdown table with a row for each finished run.

    Beside what each table has, there is a column for each setting in which two
    of the runs differ.

    Args:
        folders: Paths of run folders. Those without `metrics.json` belong to
            runs that have not finished and are left out.

    Returns:
        String.

    Raises:
        AMPKerasError: If a `metrics.json` is not that of a run, or no run has
            finished.
    """
    folders = map(pathlib.Path, folders)
    found = {folder: _read(folder, "metrics", _KINDS) for folder in folders}
    runs = [
        {"folder": folder, **_settings(folder), **run}
        for folder, run in found.items()
        if run is not None
    ]
    if not runs:
        raise AMPKerasError(
            "no finished run among the folders. "
            f"Received: {', '.join(map(str, found))}"
        )
    columns = ["folder", *_FACTS, *_different(runs)]
    columns += [*(f"test_{m.key}" for m in metrics.METRICS), "seconds"]
    if any(run.get(_LABELS) for run in runs):
        columns.append(_LABELS)
    return markdown.table_of_dicts(runs, {name: name for name in columns})


def _settings(folder):
    """Returns the configuration; what its version did not know is default."""
    config = _read(folder, "config", None)
    if config is None:
        return {}
    return {name: config.get(name, value) for name, value in _DEFAULTS.items()}


def _different(runs):
    known = [run for run in runs if _DEFAULTS.keys() <= run.keys()]
    return [
        name
        for name in _DEFAULTS
        if name not in _FACTS and len({str(run[name]) for run in known}) > 1
    ]


def _read(folder, name, kinds):
    try:
        return json_file.read_object(folder / f"{name}.json", kinds)
    except AMPKerasError as error:
        raise AMPKerasError(
            f"{error}: put back the file that was there, or leave {folder} out"
        ) from error
