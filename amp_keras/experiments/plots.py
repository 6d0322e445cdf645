"""What a person would look at after a run, as matplotlib figures."""

import matplotlib.figure
import numpy as np
from matplotlib import ticker
from sklearn import metrics as sklearn_metrics

_SHEET_ROWS, _SHEET_COLUMNS = 4, 8
_TITLE_LETTERS = 24
# More would take minutes and gigabytes.
_MOST_CLASSES_WITH_COUNTS = 200
_LONGEST_SIDE = 60


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
    worst = np.argsort(of_truth)[: _SHEET_ROWS * _SHEET_COLUMNS]
    figure = matplotlib.figure.Figure((16, 10), layout="constrained")
    sheet = figure.subplots(_SHEET_ROWS, _SHEET_COLUMNS).flat
    for axes in figure.axes:
        axes.set_axis_off()
    for axes, example in zip(sheet, worst):
        if predictions[example] == split.labels[example]:
            break
        _draw_image(axes, split.images[example])
        true, taken_for = (
            literal(class_names[i][:_TITLE_LETTERS])
            for i in (split.labels[example], predictions[example])
        )
        share = np.exp(of_truth[example])
        axes.set_title(f"{true} ({share:.1%})\nas {taken_for}", fontsize=8)
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
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    axes.set_ylabel(metric)
    if metric == "loss" and max(history["loss"]) > 10 * min(history["loss"]):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    axes.grid(alpha=0.3)
