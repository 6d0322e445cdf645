"""The plots of an evaluation: a new one is added to `PLOTS`."""

import matplotlib.figure
import numpy as np
from matplotlib import colors
from matplotlib import ticker
from sklearn import metrics as sklearn_metrics

from amp_keras.experiments import evaluation_tables
from amp_keras.experiments.plots import Plot

_DIRECTIONS = {
    "amp": "AMP's ascent",
    "gradient": "along the gradient",
    "random": "random directions: mean and range",
}
_TITLE_LETTERS = 32


def figures(results):
    """Returns the figures that the results have numbers for, by name.

    Args:
        results: Dict by name of a network, as `evaluation.json` has it.
    """
    made = {plot.name: plot.draw(results) for plot in PLOTS}
    return {name: figure for name, figure in made.items() if figure}


def reliability(results):
    """Accuracy by confidence, and how many examples have it."""
    figure = _figure(4.2 * len(results), 5.6)
    axes = figure.subplots(
        2,
        len(results),
        squeeze=False,
        sharex=True,
        sharey="row",
        height_ratios=(3, 1),
    )
    for column, (name, found) in enumerate(results.items()):
        above, below = axes[:, column]
        above.set_title(name[:_TITLE_LETTERS], fontsize=9)
        above.plot([0, 1], [0, 1], color="gray", linestyle=":")
        predictions = found["predictions"]
        _draw_reliability(above, below, predictions, "before", "C0", "o-")
        _draw_reliability(above, below, predictions, "after", "C1", "s--")
        above.legend(fontsize=8, loc="upper left")
        below.set_xlabel("confidence")
        below.set_yscale("symlog", linthresh=1)
        below.set_ylim(bottom=0)
    axes[0, 0].set_ylabel("accuracy")
    axes[1, 0].set_ylabel("examples")
    return figure


def _draw_reliability(above, below, predictions, key, color, style):
    diagram = predictions[key]["reliability"]
    confidence, accuracy = (
        np.array(diagram[name], "float64")
        for name in ("confidence", "accuracy")
    )
    filled = ~np.isnan(confidence)
    temperatures = predictions["temperatures"] if key == "after" else [1.0]
    of = " and ".join(f"{t:.3g}" for t in temperatures)
    label = f"T = {of}: ECE {predictions[key]['ece']:.3f}"
    above.plot(
        confidence[filled],
        accuracy[filled],
        style,
        color=color,
        markersize=4,
        label=label,
    )
    below.stairs(
        diagram["weights"],
        diagram["edges"],
        color=color,
        linestyle=style[1:],
        fill=key == "before",
        alpha=0.4 if key == "before" else 1.0,
    )


def confusion(results):
    """How often each class was taken for each other one."""
    some = next(iter(results.values()))["predictions"]["class_names"]
    side = 3 + 0.25 * len(some)
    figure = _figure(side * len(results), side + 0.4)
    axes = figure.subplots(1, len(results), squeeze=False)[0]
    for of_network, (name, found) in zip(axes, results.items()):
        predictions = found["predictions"]
        matrix = np.array(predictions["confusion"])
        display = sklearn_metrics.ConfusionMatrixDisplay(
            matrix, display_labels=predictions["class_names"]
        )
        display.plot(
            ax=of_network,
            cmap="Blues",
            colorbar=False,
            xticks_rotation="vertical",
            im_kw={"norm": "symlog"},
            text_kw={"fontsize": 7},
        )
        for text, count in zip(display.text_.flat, matrix.flat):
            text.set_visible(count > 0)
            dark = display.im_.norm(count) > 0.5
            text.set_color("white" if dark else "black")
        of_network.set_title(name[:_TITLE_LETTERS], fontsize=9)
    return figure


def radius(results):
    """The loss against the distance, absolute and relative to the weights."""
    directions = [
        direction
        for direction in _DIRECTIONS
        if any(direction in found for found in results.values())
    ]
    if not directions:
        return None
    figure = _figure(4.2 * len(directions), 7)
    axes = figure.subplots(2, len(directions), squeeze=False, sharey="col")
    for column, direction in enumerate(directions):
        axes[0, column].set_title(_DIRECTIONS[direction], fontsize=9)
        for row, scale in enumerate(("radii", "relative_radii")):
            for color, (name, found) in enumerate(results.items()):
                if direction in found:
                    _draw_radius(
                        axes[row, column],
                        found[direction],
                        scale,
                        f"C{color}",
                        name,
                    )
            axes[row, column].set_xscale("log")
            axes[row, column].grid(alpha=0.3)
        axes[0, column].set_xlabel("radius")
        axes[1, column].set_xlabel("radius / norm of the weights")
        _scale_losses(axes[0, column])
    axes[0, 0].legend(fontsize=8)
    for of_row in axes[:, 0]:
        of_row.set_ylabel("training loss (dotted: at the weights)")
    return figure


def _draw_radius(axes, losses, scale, color, name):
    x = np.array(losses[scale], "float64")
    y = np.array(losses["data"], "float64")
    axes.plot(x, y.mean(axis=0), ".-", color=color, label=name[:_TITLE_LETTERS])
    axes.axhline(
        losses["at_weights"]["data"], color=color, linestyle=":", linewidth=1
    )
    if len(y) > 1:
        axes.fill_between(
            x, y.min(axis=0), y.max(axis=0), color=color, alpha=0.2
        )


def line(results):
    """The loss along a filter-normalized random direction."""
    if not any("line" in found for found in results.values()):
        return None
    figure = _figure(6, 4.5)
    axes = figure.subplots()
    for name, found in results.items():
        if "line" in found:
            axes.plot(
                found["line"]["coordinates"],
                np.array(found["line"]["data"], "float64"),
                ".-",
                label=name[:_TITLE_LETTERS],
            )
    _scale_losses(axes)
    axes.set_xlabel("step along a direction with the norms of the filters")
    axes.set_ylabel("training loss")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def plane(results):
    """The loss on a plane of two such directions, all on one scale."""
    planes = {
        name: found["plane"]
        for name, found in results.items()
        if "plane" in found
    }
    if not planes:
        return None
    losses = {n: np.array(p["data"], "float64") for n, p in planes.items()}
    every = np.concatenate([values.ravel() for values in losses.values()])
    every = every[np.isfinite(every)]
    low, high = max(every.min(), 1e-6), max(every.max(), 2e-6)
    levels = np.geomspace(low, high, 15)
    figure = _figure(4 * len(planes) + 1, 4)
    axes = figure.subplots(1, len(planes), squeeze=False)[0]
    for of_network, (name, values) in zip(axes, losses.items()):
        coordinates = planes[name]["coordinates"]
        filled = of_network.contourf(
            coordinates,
            coordinates,
            np.maximum(values, low).T,
            levels,
            norm=colors.LogNorm(low, high),
            extend="max",
        )
        of_network.plot(0, 0, "w+")
        of_network.set_aspect("equal")
        of_network.set_title(name[:_TITLE_LETTERS], fontsize=9)
    bar = figure.colorbar(filled, ax=list(axes), label="training loss")
    bar.ax.yaxis.set_major_formatter(ticker.FormatStrFormatter("%.3g"))
    return figure


def _figure(width, height):
    return matplotlib.figure.Figure((width, height), layout="constrained")


def _scale_losses(axes):
    """Makes the axis logarithmic where the losses differ by magnitudes."""
    values = [v for of in axes.lines for v in np.ravel(of.get_ydata())]
    low = evaluation_tables.least([v for v in values if np.isfinite(v)])
    high = max(v for v in values if np.isfinite(v))
    if low > 0 and high > 20 * low:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(ticker.FormatStrFormatter("%.3g"))


# A figure is `None` where the results have no numbers for it.
PLOTS = (
    Plot("reliability", "reliability diagram", reliability),
    Plot("confusion", "confusion matrix", confusion),
    Plot("radius", "loss against radius", radius),
    Plot("line", "loss along a line", line),
    Plot("plane", "loss on a plane", plane),
)
