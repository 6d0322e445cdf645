"""The plots of a run: a new one is added to `PLOTS` and nowhere else."""

import dataclasses
from collections.abc import Callable

import matplotlib.figure
import numpy as np
from matplotlib import ticker
from sklearn import metrics as sklearn_metrics

_MOST_MISTAKES = 32
_SHEET_COLUMNS = 8
_TITLE_LETTERS = 24
# More would take minutes and gigabytes.
_MOST_CLASSES_WITH_COUNTS = 200
_LONGEST_SIDE = 60


@dataclasses.dataclass(frozen=True)
class Results:
    """What a run has to plot.

    Attributes:
        history: Dict of lists, the logs of each epoch.
        metrics: Dict, what `metrics.json` has.
        test: The `Split` with the test data.
        log_probabilities: Array of shape `(examples, classes)`, those of the
            test data.
        class_names: Strings.
    """

    history: dict
    metrics: dict
    test: object
    log_probabilities: np.ndarray
    class_names: list


@dataclasses.dataclass(frozen=True)
class Plot:
    """A plot in a folder, and on the page about it.

    Attributes:
        name: String: the file is `NAME.png`.
        title: String, what the page calls it.
        draw: Function of the results that returns a matplotlib figure.
    """

    name: str
    title: str
    draw: Callable


def curves(history, metrics):
    """Loss and accuracy by epoch, and on the test set.

    Training values are averages over an epoch, during which the weights
    changed and images were augmented.
    """
    figure = matplotlib.figure.Figure(figsize=(10, 4), layout="constrained")
    for axes, metric in zip(figure.subplots(1, 2), ("loss", "accuracy")):
        _draw_curve(axes, history, metric, metrics[f"test_{metric}"])
        if len(history["loss"]) != metrics["epoch"]:
            axes.axvline(
                metrics["epoch"], color="gray", linestyle=":", label="kept"
            )
        axes.legend()
    return figure


def confusion(labels, predictions, class_names):
    """How often each class was taken for each other one.

    Args:
        labels: Int array of shape `(examples,)`.
        predictions: Int array of shape `(examples,)`.
        class_names: Strings.
    """
    classes = len(class_names)
    matrix = sklearn_metrics.confusion_matrix(
        labels, predictions, labels=np.arange(classes)
    )
    side = min(4 + 0.25 * classes, _LONGEST_SIDE)
    figure = matplotlib.figure.Figure((side, side), layout="constrained")
    display = sklearn_metrics.ConfusionMatrixDisplay(
        matrix, display_labels=[literal(name) for name in class_names]
    )
    display.plot(
        ax=figure.subplots(),
        cmap="Blues",
        colorbar=False,
        xticks_rotation="vertical",
        im_kw={"norm": "symlog"},
        text_kw={"fontsize": 7},
        include_values=classes <= _MOST_CLASSES_WITH_COUNTS,
    )
    if display.text_ is None:
        return figure
    for text, count in zip(display.text_.flat, matrix.flat):
        text.set_visible(count > 0)
        dark = display.im_.norm(count) > 0.5
        text.set_color("white" if dark else "black")
    return figure


def worst_mistakes(split, log_probabilities, class_names):
    """The images whose true class the network thought least likely.

    Args:
        split: A `Split`.
        log_probabilities: Array of shape `(examples, classes)`.
        class_names: Strings.
    """
    predictions = log_probabilities.argmax(-1)
    of_truth = log_probabilities[np.arange(len(split)), split.labels]
    mistakes = np.flatnonzero(predictions != split.labels)
    worst = mistakes[np.argsort(of_truth[mistakes], kind="stable")]
    worst = worst[:_MOST_MISTAKES]
    columns = max(1, min(_SHEET_COLUMNS, len(worst)))
    rows = -(-len(worst) // columns)
    figure = matplotlib.figure.Figure(
        (max(8, 2 * columns), 1 + 2.25 * rows), layout="constrained"
    )
    for place, example in enumerate(worst, start=1):
        axes = figure.add_subplot(rows, columns, place)
        axes.set_axis_off()
        _draw_image(axes, split.images[example])
        true, taken_for = (
            literal(class_names[i][:_TITLE_LETTERS])
            for i in (split.labels[example], predictions[example])
        )
        share = np.exp(of_truth[example])
        axes.set_title(f"{true} ({share:.1%})\nas {taken_for}", fontsize=8)
    if not len(worst):
        figure.text(0.5, 0.2, "no mistakes", ha="center")
    return figure


def literal(text):
    """Returns text in which matplotlib finds no mathematics."""
    return text.replace("$", r"\$")


def _draw_image(axes, image):
    image = image.astype("float32") / image.max(initial=1)
    axes.imshow(image.squeeze(), cmap="gray")


def _draw_curve(axes, history, metric, test_value):
    for key, label in ((metric, "training"), (f"val_{metric}", "validation")):
        if key in history:
            epochs = range(1, len(history[key]) + 1)
            axes.plot(epochs, history[key], marker=".", label=label)
    axes.axhline(test_value, color="gray", linestyle="--", label="test")
    # Half an epoch at the ends: of one epoch there is a point and no line.
    axes.set_xlim(0.5, len(history["loss"]) + 0.5)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(
        ticker.MaxNLocator(integer=True, min_n_ticks=1)
    )
    axes.set_ylabel(metric)
    if metric == "loss" and max(history["loss"]) > 10 * min(history["loss"]):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    axes.grid(alpha=0.3)


PLOTS = (
    Plot(
        "curves",
        "learning curves",
        lambda results: curves(results.history, results.metrics),
    ),
    Plot(
        "mistakes",
        "worst mistakes",
        lambda results: worst_mistakes(
            results.test, results.log_probabilities, results.class_names
        ),
    ),
    Plot(
        "confusion",
        "confusion matrix",
        lambda results: confusion(
            results.test.labels,
            results.log_probabilities.argmax(-1),
            results.class_names,
        ),
    ),
)
