"""The page about a comparison, and the lines that its command prints."""

import collections

from amp_keras.experiments import markdown
from amp_keras.experiments import metrics as run_metrics

_MOMENTS = {"test": "", "last_test": ", last epoch"}


def _of_test():
    """Name, unit, factor and decimals of what runs are on the test set."""
    for prefix, moment in _MOMENTS.items():
        yield f"{prefix}_error", (f"test error{moment}", " %", 100, 1)
        for metric in run_metrics.METRICS:
            if metric.key != "accuracy":
                title = f"test {_name(metric)}{moment}"
                yield f"{prefix}_{metric.key}", (title, "", 1, 3)


def _of_validation():
    """The same of what chooses epochs and temperatures, and what that gives."""
    yield "val_loss", ("validation loss", "", 1, 3)
    yield "val_accuracy", ("validation accuracy", " %", 100, 1)
    for prefix, moment in _MOMENTS.items():
        yield f"{prefix}_temperature", (f"temperature{moment}", "", 1, 2)
        for metric in run_metrics.METRICS:
            if metric.key in run_metrics.SCALED:
                title = f"test {_name(metric)}, scaled{moment}"
                yield f"{prefix}_{metric.key}_scaled", (title, "", 1, 3)


def _name(metric):
    # The loss of Keras' files is the NLL of papers.
    return {"loss": "NLL"}.get(metric.key, metric.heading)


# Those in which methods are compared with the first one, and all.
DIFFERENCES = dict(_of_test())
METRICS = {**DIFFERENCES, **dict(_of_validation())}
_CALIBRATION = (
    "test_brier",
    "test_ece",
    "test_temperature",
    "test_ece_scaled",
    "test_loss_scaled",
)
# What stands in a table of its own, or in `comparison.csv` only.
_NOT_IN_TABLE = {"test_brier", "last_test_brier", *dict(_of_validation())}

_PAGE = """# {title}

{setting}

{table}

![each run, and the training accuracy by epoch](comparison.png)
{radius}{calibration}{tuning}{differences}
![error and loss against cost](cost.png)

    {command}

{versions}.
"""
_DIFFERENCES = """
## Differences to {baseline}

{table}

Of runs with the same seed, which begin with the same weights and see the same
batches. The first interval is over seeds, by Student's t; the second over test
examples, by a paired bootstrap: what another test set of this size might have
said of the same networks. An interval that holds 0 does not tell which is the
better method.
"""
_CALIBRATION_PART = """
## Calibration

{table}
{temperature}"""
_TEMPERATURE = """
Scaled: logits divided by the temperature that was fitted on the validation data
of the run, 1 where none is best. Their labels may be wrong as well: then a
temperature fitted on them makes networks less sure than clean test labels ask
for.
"""
_RADIUS = """
![error, NLL, ECE and validation loss against epsilon](epsilon.png)
"""
_TUNING = """
## Values that were chosen

{table}

Each was trained with seed {seed}, and the one of the {best} on the
validation data, at the epoch that counts, was taken for all seeds. {budgets}
"""
# By the metric that it is best in.
_BEST = {
    "val_loss": "lowest cross-entropy",
    "val_accuracy": "highest accuracy",
}


def summary(rows, metric="test_error"):
    """Returns one line: a metric of all methods.

    Args:
        rows: What `statistics.by_method` returns.
        metric: String, one of `METRICS`. Defaults to the test error.
    """
    name, unit, _, _ = METRICS[metric]
    values = [
        f"{row['title']} {_mean_and_std(row, metric)}{unit}" for row in rows
    ]
    return f"{name}: {'; '.join(values)}"


def of_run(metrics):
    """Returns the main metrics of a run in one line."""
    return ", ".join(
        f"{title} {factor * metrics[name]:.{decimals}f}{unit}"
        for name, (title, unit, factor, decimals) in METRICS.items()
        if name in ("test_error", "test_loss")
    )


def heading(metric):
    """Returns the name of a metric with its unit."""
    name, unit, _, _ = METRICS[metric]
    return name + unit


def table(rows, metrics):
    """Returns a Markdown table with a row for each method.

    Args:
        rows: What `statistics.by_method` returns.
        metrics: Names of `METRICS` that they have. Those of other tables are
            left out.
    """
    metrics = [name for name in metrics if name not in _NOT_IN_TABLE]
    is_tuned = any(row["tuning_runs"] for row in rows)
    columns = ["tuning runs"] if is_tuned else []
    columns = ["method", "seeds", *columns, "passes", "seconds"]
    return markdown.table(
        [*columns, *map(heading, metrics)],
        [
            [
                row["title"],
                row["seeds"],
                *([row["tuning_runs"]] if is_tuned else []),
                f"{row['passes']:.2f}",
                f"{row['seconds']:.0f}",
                *(_mean_and_std(row, name) for name in metrics),
            ]
            for row in rows
        ],
    )


def difference_table(rows):
    """Returns a Markdown table of the rows of `statistics.differences`."""
    columns = [
        "method",
        "metric",
        "difference",
        "95 % interval, seeds",
        "seeds that agree",
        "95 % interval, test examples",
    ]
    return markdown.table(columns, map(_difference, rows))


def calibration_table(rows, metrics):
    """Returns a Markdown table of calibration at the epoch that counts.

    It is empty if there is nothing that the first table has not.

    Args:
        rows, metrics: As in `table`.
    """
    metrics = [name for name in _CALIBRATION if name in metrics]
    if _NOT_IN_TABLE.isdisjoint(metrics):
        return ""
    return markdown.table(
        ["method", *map(heading, metrics)],
        [
            [row["title"], *(_mean_and_std(row, name) for name in metrics)]
            for row in rows
        ],
    )


def calibration_part(rows, metrics):
    """Returns `calibration_table` with a heading, or `""`."""
    content = calibration_table(rows, metrics)
    if not content:
        return ""
    is_scaled = "test_temperature" in metrics
    return _CALIBRATION_PART.format(
        table=content, temperature=_TEMPERATURE if is_scaled else ""
    )


def tuning_part(tuning, rows, seed, objective):
    """Returns the part about the values that were tried, with a heading.

    It is empty if there was nothing to choose.

    Args:
        tuning: What `tuning.rows` returns.
        rows: What `statistics.by_method` returns.
        seed: Int, that of the runs that chose.
        objective: String, the metric that they chose by.
    """
    if not tuning:
        return ""
    untuned = [row["title"] for row in rows if not row["tuning_runs"]]
    table = markdown.table(
        ["method", "validation loss", "validation accuracy", "chosen"],
        [
            [
                row["title"],
                row["val_loss"],
                row["val_accuracy"],
                "yes" if row["chosen"] else "",
            ]
            for row in tuning
        ],
    )
    return _TUNING.format(
        table=table,
        seed=seed,
        best=_BEST[objective],
        budgets=_budgets(tuning, untuned),
    )


def _budgets(tuning, untuned):
    """Says of how many values each method's was chosen."""
    counts = collections.Counter(row["tuned"] for row in tuning)
    if len(set(counts.values())) == 1:
        text = f"Each of these methods had {len(tuning) // len(counts)} values."
    else:
        each = "; ".join(f"{name} {count}" for name, count in counts.items())
        text = (
            "**The budgets are unequal**, which favours the methods with more "
            f"values to choose from: {each}."
        )
    if untuned:
        text += f" Nothing was chosen for: {'; '.join(untuned)}."
    return text


def page(
    title,
    setting,
    rows,
    differences,
    metrics,
    command,
    versions,
    tuning="",
    has_radius_plot=False,
):
    """Returns the page as Markdown.

    Args:
        title: String.
        setting: String, a sentence about what all methods share.
        rows: What `statistics.by_method` returns.
        differences: What `statistics.differences` returns.
        metrics: Names of `METRICS`.
        command: String, the command line.
        versions: Dict of strings, by package.
        tuning: String, what `tuning_part` returns. Defaults to `""`.
        has_radius_plot: Bool, whether there is `epsilon.png`. Defaults to
            `False`.
    """
    part = ""
    if differences:
        part = _DIFFERENCES.format(
            baseline=rows[0]["title"], table=difference_table(differences)
        )
    return _PAGE.format(
        title=title,
        setting=setting,
        table=table(rows, metrics),
        differences=part,
        calibration=calibration_part(rows, metrics),
        tuning=tuning,
        radius=_RADIUS if has_radius_plot else "",
        command=command,
        versions=", ".join(f"{name} {v}" for name, v in versions.items()),
    )


def _mean_and_std(row, name):
    _, _, factor, decimals = METRICS[name]
    text = f"{factor * row[name]:.{decimals}f}"
    if row[f"{name}_std"] is None:
        return text
    return f"{text} ± {factor * row[f'{name}_std']:.{decimals}f}"


def _difference(row):
    _, _, factor, decimals = METRICS[row["metric"]]
    return [
        row["title"],
        heading(row["metric"]),
        f"{factor * row['difference']:+.{decimals}f}",
        _interval(row["low"], row["high"], factor, decimals),
        f"{row['agree']} of {row['seeds']}",
        _interval(row["test_low"], row["test_high"], factor, decimals),
    ]


def _interval(low, high, factor, decimals):
    if low is None:
        return "-"
    return f"{factor * low:+.{decimals}f} to {factor * high:+.{decimals}f}"
