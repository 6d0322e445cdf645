"""The plot of a search: validation loss and accuracy against epsilon."""

import matplotlib.figure
from matplotlib import ticker

from amp_keras.search import trials


def draw(path, rows, title):
    """Draws the completed trials of full length.

    Each panel has the values of each seed as points, the mean of the best
    trial of each epsilon as a line, one for each norm, and the best plain
    training as a horizontal line.

    Args:
        path: The PNG file.
        rows: Rows of `trials.rows`.
        title: String.
    """
    completed = trials.full_length(rows)
    figure = matplotlib.figure.Figure(figsize=(11, 4.5), layout="constrained")
    figure.suptitle(title)
    metrics = ("val_loss", "val_accuracy")
    for axes, metric in zip(figure.subplots(1, 2), metrics):
        _draw_metric(axes, completed, metric)
    figure.savefig(path, dpi=100)


def _draw_metric(axes, rows, metric):
    baseline = trials.baseline(rows)
    if baseline:
        axes.axhline(
            baseline[metric],
            color="gray",
            linestyle="--",
            label="plain training (epsilon 0)",
        )
    perturbed = [row for row in rows if row["epsilon"] > 0]
    for norm in sorted({row.get("norm", "") for row in perturbed}):
        of_norm = [r for r in perturbed if r.get("norm", "") == norm]
        _draw_norm(axes, of_norm, metric, norm)
    if perturbed:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
    values = [row[metric] for row in rows]
    if metric == "val_loss" and max(values) > 10 * min(values):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    axes.set_xlabel("epsilon")
    axes.set_ylabel(f"{metric}, last epoch")
    axes.grid(alpha=0.3, which="both")
    axes.legend()


def _draw_norm(axes, rows, metric, norm):
    # Rows come in the order of the objective: the first is the best.
    best = {}
    for row in rows:
        best.setdefault(row["epsilon"], row)
    epsilons = sorted(best)
    label = f"AMP, {norm}" if norm else "AMP"
    (line,) = axes.plot(
        epsilons, [best[e][metric] for e in epsilons], label=label
    )
    points = [
        (row["epsilon"], value)
        for row in rows
        for name, value in row.items()
        if name.startswith(f"{metric}_seed")
    ]
    axes.scatter(*zip(*points), s=18, color=line.get_color(), label="each seed")
