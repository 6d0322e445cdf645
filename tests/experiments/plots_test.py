"""What the plots of a run show, read off the figures."""

import numpy as np
import pytest

from amp_keras.datasets import Split
from amp_keras.experiments import plots

NAMES = ("zero", "one", "two")


def test_confusion_counts_true_classes_by_row():
    figure = plots.confusion([0, 0, 1, 2, 2], [0, 1, 1, 2, 0], NAMES)
    (axes,) = figure.axes
    counts = axes.images[0].get_array()
    np.testing.assert_array_equal(counts, [[1, 1, 0], [0, 1, 0], [1, 0, 1]])
    assert [t.get_text() for t in axes.get_yticklabels()] == list(NAMES)
    assert axes.get_ylabel() == "True label"
    shown = [t.get_text() for t in axes.texts if t.get_visible()]
    assert shown == ["1"] * 5


def test_worst_mistakes_are_sorted_and_only_mistakes():
    images = np.arange(4, dtype="uint8").reshape(4, 1, 1, 1) + 1
    images = np.tile(images, (1, 2, 2, 1))
    split = Split(images, np.array([0, 1, 2, 0]))
    probabilities = np.array(
        [[0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.9, 0.05, 0.05], [0.6, 0.3, 0.1]]
    )
    figure = plots.worst_mistakes(split, np.log(probabilities), NAMES)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["two (5.0%)\nas zero", "zero (20.0%)\nas one"]
    assert not any(axes.axison for axes in figure.axes)


def sheet(mistakes, right=5):
    """Among what is right, whose truth is less likely than that of some."""
    examples = mistakes + right
    images = np.ones((examples, 2, 2, 1), "uint8")
    of_truth = np.linspace(0.3, 0.4, examples)
    probabilities = np.stack([of_truth, 1 - of_truth, 0 * of_truth + 1e-9], 1)
    probabilities[:right] = [0.35, 0.33, 0.32]
    split = Split(images, np.zeros(examples, int))
    return plots.worst_mistakes(split, np.log(probabilities), NAMES)


@pytest.mark.parametrize(
    ("mistakes", "rows", "columns"),
    [(1, 1, 1), (7, 1, 7), (8, 1, 8), (9, 2, 8), (32, 4, 8), (40, 4, 8)],
)
def test_sheet_is_as_large_as_it_has_mistakes(mistakes, rows, columns):
    figure = sheet(mistakes)
    assert len(figure.axes) == min(mistakes, 32)
    assert all(len(axes.images) == 1 for axes in figure.axes)
    for axes in figure.axes:
        grid = axes.get_subplotspec().get_gridspec()
        assert (grid.nrows, grid.ncols) == (rows, columns)
    assert figure.get_figheight() == 1 + 2.25 * rows


def test_sheet_without_mistakes_says_so():
    figure = sheet(0)
    assert not figure.axes
    assert [text.get_text() for text in figure.texts] == ["no mistakes"]


def test_curves_mark_the_epoch_that_is_kept():
    history = {
        "loss": [2.0, 1.0, 0.5],
        "val_loss": [2.0, 1.5, 1.8],
        "accuracy": [0.1, 0.5, 0.9],
        "val_accuracy": [0.1, 0.6, 0.5],
    }
    metrics = {"test_loss": 1.6, "test_accuracy": 0.55, "epoch": 2}
    loss, accuracy = plots.curves(history, metrics).axes
    lines = {line.get_label(): line for line in loss.lines}
    np.testing.assert_array_equal(lines["training"].get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(
        lines["validation"].get_ydata(), history["val_loss"]
    )
    assert list(lines["test"].get_ydata()) == [1.6, 1.6]
    assert list(lines["kept"].get_xdata()) == [2, 2]
    assert list(accuracy.lines[-1].get_xdata()) == [2, 2]


@pytest.mark.parametrize("epochs", [1, 3])
def test_axis_of_curves_has_the_epochs_and_nothing_between(epochs):
    history = {"loss": [0.5] * epochs, "accuracy": [0.5] * epochs}
    metrics = {"test_loss": 0.4, "test_accuracy": 0.6, "epoch": epochs}
    for axes in plots.curves(history, metrics).axes:
        low, high = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert ticks == list(range(1, epochs + 1))
