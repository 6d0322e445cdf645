"""The trials of a search as rows of a table."""

import csv

from amp_keras.experiments import markdown

COMPLETED, FAILED, UNFINISHED = "completed", "failed", "unfinished"

_STATUS = {"COMPLETED": COMPLETED, "FAILED": FAILED, "INVALID": FAILED}
_METRICS = ("val_loss", "val_accuracy", "loss", "accuracy", "seconds")


def has_ended(trial):
    return trial.status in _STATUS


def describe(trial):
    """Returns the hyperparameters of a trial, such as `epsilon=0.1`."""
    return ", ".join(
        f"{name}={_text(value)}"
        for name, value in _hyperparameters(trial).items()
    )


def _hyperparameters(trial):
    """By the names of the flags: those of a norm are marked with it."""
    values = trial.hyperparameters.values
    mark = f"_{values.get('norm')}"
    return {
        name.removeprefix("tuner/").removesuffix(mark): value
        for name, value in values.items()
        if not name.startswith("tuner/") or name == "tuner/epochs"
    }


def row(trial):
    """Returns a trial as a dict.

    Args:
        trial: A keras-tuner trial.

    Returns:
        A dict: `trial`, its number; `status`; its hyperparameters, `epochs`
        among them with hyperband and halving; and, if it is completed, its
        metrics after the last epoch: means over seeds, and those of each seed.
    """
    status = _STATUS.get(trial.status, UNFINISHED)
    metrics = {}
    if status == COMPLETED:
        metrics = {
            name: float(trial.metrics.get_last_value(name))
            for name in trial.metrics.metrics
        }
    return {"trial": trial.trial_id, "status": status} | {
        **_hyperparameters(trial),
        **metrics,
    }


def rows(oracle, objective, epochs):
    """Returns the rows of all trials, the best first.

    Trials of fewer than `epochs`, those of hyperband and halving, come after
    those of full length, and failed ones last.

    Args:
        oracle: A keras-tuner oracle.
        objective: String, `"val_loss"` or `"val_accuracy"`.
        epochs: Int, the epochs of a trial of full length.
    """
    sign = 1 if objective == "val_loss" else -1

    def rank(row):
        if row["status"] != COMPLETED:
            return (1, 0, 0)
        return (0, -row.get("epochs", epochs), sign * row[objective])

    return sorted(map(row, oracle.trials.values()), key=rank)


def full_length(rows):
    """Returns the successful rows of full length, in their order."""
    longest = max((row.get("epochs", 0) for row in rows), default=0)
    return [
        row
        for row in rows
        if row["status"] == COMPLETED and row.get("epochs", 0) == longest
    ]


def best(rows):
    """Returns the first successful row of full length, or `None`."""
    return next(iter(full_length(rows)), None)


def baseline(rows):
    """Returns the best successful row of plain training, or `None`."""
    return best([r for r in rows if r["epsilon"] == 0])


def write_csv(path, rows):
    """Writes rows, with a column for whatever one of them has."""
    columns = _columns(rows)
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def table(rows):
    """Returns rows as a Markdown table, without the values of each seed."""
    columns = [c for c in _columns(rows) if "_seed" not in c]
    return markdown.table_of_dicts(rows, {name: name for name in columns})


def _columns(rows):
    """Number and status, hyperparameters, means, and values of each seed."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    first = ["trial", "status"]
    means = [name for name in _METRICS if name in names]
    seeds = sorted(name for name in names if "_seed" in name)
    rest = [n for n in names if n not in {*first, *means, *seeds}]
    return [*first, *rest, *means, *seeds]


def _text(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)
