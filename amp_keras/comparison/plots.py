"""What a person would look at after a comparison, as matplotlib figures."""

import math

import matplotlib.figure
import numpy as np
from matplotlib import ticker

from amp_keras.comparison.page import METRICS
from amp_keras.comparison.page import heading
from amp_keras.experiments.plots import literal

_PANELS = ("test_error", "test_loss")
_LEGEND_COLUMNS = 3
_FEW_METHODS = 5


def comparison(found, histories, right_label_share=None):
    """Each run's test error and loss, and the training accuracy by epoch.

    Points of the same seed are joined.

    Args:
        found: Dict of the metrics of finished runs, by `Run`.
        histories: Function of a `Run` that returns its history, a dict of
            lists.
        right_label_share: Float, the share of the training labels that are
            right, or `None` if all are, as far as one knows.
    """
    methods = _methods(found)
    rows_of_legend = math.ceil((len(methods) + 1) / _LEGEND_COLUMNS)
    figure = matplotlib.figure.Figure(
        figsize=(13, 4 + 0.2 * rows_of_legend), layout="constrained"
    )
    *panels, last = figure.subplots(1, 3)
    for axes, name in zip(panels, _PANELS):
        _draw_points(axes, found, methods, name)
    _draw_accuracy(last, found, methods, histories, right_label_share)
    figure.legend(
        *last.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=_LEGEND_COLUMNS,
        frameon=False,
    )
    return figure


def cost(rows):
    """Error and loss of each method against its time, as means over seeds.

    Args:
        rows: What `statistics.by_method` returns.
    """
    figure = matplotlib.figure.Figure(figsize=(10, 4.4), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), _PANELS):
        _, _, factor, _ = METRICS[name]
        for number, row in enumerate(rows):
            axes.errorbar(
                row["seconds"],
                factor * row[name],
                yerr=factor * (row[f"{name}_std"] or 0),
                fmt="o",
                color=f"C{number % 10}",
                label=literal(f"{row['title']} ({row['passes']:.2f} passes)"),
            )
        axes.set_xlabel("seconds of training")
        axes.set_ylabel(heading(name))
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=2,
        frameon=False,
    )
    return figure


def _methods(found):
    return list({run.method.name: run.method for run in found}.values())


def _draw_points(axes, found, methods, name):
    _, _, factor, decimals = METRICS[name]
    values = [
        {
            run.config.seed: factor * metrics[name]
            for run, metrics in found.items()
            if run.method is method
        }
        for method in methods
    ]
    for seed in {seed for of_method in values for seed in of_method}:
        points = [of_method.get(seed, np.nan) for of_method in values]
        axes.plot(points, color="lightgray", zorder=1)
    for number, of_method in enumerate(values):
        color = f"C{number % 10}"
        mean = np.mean(list(of_method.values()))
        axes.bar(number, mean, color=color, alpha=0.3, width=0.6)
        axes.scatter([number] * len(of_method), of_method.values(), color=color)
        axes.annotate(
            f"{mean:.{decimals}f}",
            (number + 0.08, mean),
            xytext=(0, 3),
            textcoords="offset points",
            fontsize="medium" if len(methods) <= _FEW_METHODS else "xx-small",
        )
    axes.set_xticks([])
    axes.set_title(heading(name))
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", alpha=0.3)


def _draw_accuracy(axes, found, methods, histories, right_label_share):
    for number, method in enumerate(methods):
        label = method.title
        for run in found:
            if run.method is method:
                accuracy = histories(run)["accuracy"]
                axes.plot(
                    range(1, len(accuracy) + 1),
                    100 * np.array(accuracy),
                    color=f"C{number % 10}",
                    label=literal(label),
                )
                label = "_"
    if right_label_share is not None:
        axes.axhline(
            100 * right_label_share,
            color="gray",
            linestyle="--",
            label="share of the training labels that are right",
        )
    axes.set_title("accuracy on the training labels, %")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    axes.set_ylim(0, 102)
    axes.grid(alpha=0.3)
