"""The page about a comparison, and the lines that its command prints."""

# Name, unit, factor and decimals of the metrics of a comparison.
METRICS = {
    "test_error": ("test error", " %", 100, 1),
    "test_loss": ("test NLL", "", 1, 3),
    "test_ece": ("test ECE", "", 1, 3),
    "last_test_error": ("test error, last epoch", " %", 100, 1),
    "last_test_loss": ("test NLL, last epoch", "", 1, 3),
    "last_test_ece": ("test ECE, last epoch", "", 1, 3),
}
_PAGE = """# {title}

{setting}

{table}

![each run, and the training accuracy by epoch](comparison.png)
{differences}
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
    """Returns a Markdown table with a row for each method."""
    lines = [
        ["method", "seeds", "passes", "seconds"]
        + [heading(name) for name in metrics]
    ]
    for row in rows:
        lines.append(
            [
                row["title"],
                str(row["seeds"]),
                f"{row['passes']:.2f}",
                f"{row['seconds']:.0f}",
                *(_mean_and_std(row, name) for name in metrics),
            ]
        )
    return _markdown(lines)


def difference_table(rows):
    """Returns a Markdown table of the rows of `statistics.differences`."""
    lines = [
        [
            "method",
            "metric",
            "difference",
            "95 % interval, seeds",
            "seeds that agree",
            "95 % interval, test examples",
        ]
    ]
    for row in rows:
        _, _, factor, decimals = METRICS[row["metric"]]
        lines.append(
            [
                row["title"],
                heading(row["metric"]),
                f"{factor * row['difference']:+.{decimals}f}",
                _interval(row["low"], row["high"], factor, decimals),
                f"{row['agree']} of {row['seeds']}",
                _interval(row["test_low"], row["test_high"], factor, decimals),
            ]
        )
    return _markdown(lines)


def page(title, setting, rows, differences, metrics, command, versions):
    """Returns the page as Markdown.

    Args:
        title: String.
        setting: String, a sentence about what all methods share.
        rows: What `statistics.by_method` returns.
        differences: What `statistics.differences` returns.
        metrics: Names of `METRICS`.
        command: String, the command line.
        versions: Dict of strings, by package.
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
        command=command,
        versions=", ".join(f"{name} {v}" for name, v in versions.items()),
    )


def _mean_and_std(row, name):
    _, _, factor, decimals = METRICS[name]
    text = f"{factor * row[name]:.{decimals}f}"
    if row[f"{name}_std"] is None:
        return text
    return f"{text} ± {factor * row[f'{name}_std']:.{decimals}f}"


def _interval(low, high, factor, decimals):
    if low is None:
        return "-"
    return f"{factor * low:+.{decimals}f} to {factor * high:+.{decimals}f}"


def _markdown(lines):
    head, *body = lines
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
