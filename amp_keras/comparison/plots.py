"""What a person would look at after a comparison, as matplotlib figures."""

import math

import matplotlib
import matplotlib.figure
import numpy as np
from matplotlib import ticker

from amp_keras.comparison.page import METRICS
from amp_keras.comparison.page import heading
from amp_keras.experiments.plots import literal

_PANELS = ("test_error", "test_loss")
_LEGEND_COLUMNS = 3
_LEGEND_COLUMNS_OF_COST = 2
_FEW_METHODS = 5
# As many as matplotlib has colors in turn. More are numbered as well.
_SOME_METHODS = 10


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
    height = _height(len(methods) + 1, _LEGEND_COLUMNS)
    figure = matplotlib.figure.Figure(
        figsize=(13, height), layout="constrained"
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
    titles = _numbered(
        [f"{row['title']} ({row['passes']:.2f} passes)" for row in rows]
    )
    colors = _colors(len(rows))
    height = _height(len(rows), _LEGEND_COLUMNS_OF_COST)
    figure = matplotlib.figure.Figure(
        figsize=(10, height), layout="constrained"
    )
    for axes, name in zip(figure.subplots(1, 2), _PANELS):
        _, _, factor, _ = METRICS[name]
        for row, title, color in zip(rows, titles, colors):
            axes.errorbar(
                row["seconds"],
                factor * row[name],
                yerr=factor * (row[f"{name}_std"] or 0),
                fmt="o",
                color=color,
                label=literal(title),
            )
        axes.set_xlabel("seconds of training")
        axes.set_ylabel(heading(name))
        # Margins are then a share of the whole axis, not of the differences.
        axes.update_datalim([(0, 0)])
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=_LEGEND_COLUMNS_OF_COST,
        frameon=False,
    )
    return figure


def _methods(found):
    return list({run.method.name: run.method for run in found}.values())


def _height(entries, columns):
    """Returns the height in inches of a row of panels above its legend."""
    return 4 + 0.2 * math.ceil(entries / columns)


def _colors(count):
    """Returns as many colors, no two alike."""
    if count <= _SOME_METHODS:
        return [f"C{number}" for number in range(count)]
    return list(matplotlib.colormaps["turbo"](np.linspace(0, 1, count)))


def _numbered(titles):
    """Returns the titles, with numbers before them if they are many."""
    if len(titles) <= _SOME_METHODS:
        return titles
    return [f"{number}: {t}" for number, t in enumerate(titles, start=1)]


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
    for number, color in enumerate(_colors(len(methods))):
        of_method = values[number]
        mean = np.mean(list(of_method.values()))
        axes.bar(number, mean, color=color, alpha=0.3, width=0.6)
        axes.scatter([number] * len(of_method), of_method.values(), color=color)
        _write_mean(axes, number, mean, f"{mean:.{decimals}f}", len(methods))
    axes.set_xticks([])
    if len(methods) > _SOME_METHODS:
        numbers = range(1, len(methods) + 1)
        axes.set_xticks(range(len(methods)), numbers, fontsize="xx-small")
    axes.set_title(heading(name))
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", alpha=0.3)


def _write_mean(axes, number, mean, text, methods):
    """Writes beside the points, or upright at the foot of a narrow bar."""
    style = {"xytext": (0, 3), "textcoords": "offset points"}
    if methods > _SOME_METHODS:
        axes.annotate(
            text,
            (number, 0),
            rotation="vertical",
            ha="center",
            fontsize="x-small",
            **style,
        )
    else:
        size = "medium" if methods <= _FEW_METHODS else "xx-small"
        axes.annotate(text, (number + 0.08, mean), fontsize=size, **style)


def _draw_accuracy(axes, found, methods, histories, right_label_share):
    labels = _numbered([method.title for method in methods])
    for method, label, color in zip(methods, labels, _colors(len(methods))):
        for run in found:
            if run.method is method:
                accuracy = histories(run)["accuracy"]
                axes.plot(
                    range(1, len(accuracy) + 1),
                    100 * np.array(accuracy),
                    color=color,
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
