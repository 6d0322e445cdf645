"""Metrics against the radius, from made-up rows, read off the figure."""

import pathlib

import numpy as np
import pytest

from amp_keras.comparison import page
from amp_keras.comparison import radius_plot
from amp_keras.comparison import runs as comparison_runs
from amp_keras.comparison.method import Method
from amp_keras.experiments.config import TrainingConfig

PLAIN = Method("erm", "plain training", {"epsilon": 0.0})
AMP = Method("amp", "AMP", {})
SAM = Method("sam", "SAM", {"inner_lr": 1e6})
NAMES = ("test_error", "test_loss", "test_ece", "val_loss")
LAST = ("last_test_error", "last_test_loss", "last_test_ece")


def with_radii(method, *radii, **flags):
    return [method.with_flags({**flags, "epsilon": e}) for e in radii]


def made(methods, names=NAMES):
    """Returns rows, whose values are 0.1, 0.2, ... of all metrics, and runs."""
    runs = comparison_runs.paired(
        methods, [0, 1], TrainingConfig(epsilon=0.25), pathlib.Path("runs")
    )
    rows = [
        {"method": method.name, "title": method.title}
        | dict.fromkeys(names, 0.1 * (number + 1))
        | dict.fromkeys([f"{name}_std" for name in names], 0.01)
        for number, method in enumerate(methods)
    ]
    return rows, runs


def drawn(methods, names=NAMES):
    return radius_plot.draw(*made(methods, names), names)


def test_methods_are_told_apart_by_all_flags_but_the_radius():
    found = radius_plot.curves(
        *made(
            [
                PLAIN,
                *with_radii(AMP, 2.0, 0.5, 1.0),
                *with_radii(SAM, 0.5, 1.0),
                *with_radii(AMP, 4.0, 8.0, inner_iters=2),
                AMP.with_flags({"inner_iters": 3}),
            ]
        )
    )
    assert [(curve.title, list(curve.rows)) for curve in found] == [
        ("AMP", [0.5, 1.0, 2.0]),
        ("SAM", [0.5, 1.0]),
        ("AMP, inner_iters=2", [4.0, 8.0]),
    ]
    assert found[0].rows[2.0]["title"] == "AMP, epsilon=2"


def test_a_radius_that_all_methods_share_counts():
    """Of the method `amp` alone it is --epsilon, 0.25 here."""
    (curve,) = radius_plot.curves(*made([AMP, *with_radii(AMP, 1.0, 0.5)]))
    assert list(curve.rows) == [0.25, 0.5, 1.0]


@pytest.mark.parametrize(
    "methods",
    [
        [PLAIN, *with_radii(AMP, 0.5, 1.0), *with_radii(SAM, 0.5, 2.0)],
        # The same radius under two names, and none.
        [PLAIN, AMP, *with_radii(AMP, 0.25, 1.0)],
    ],
)
def test_two_radii_are_no_curve(methods):
    assert drawn(methods) is None


def test_figure_shows_means_deviations_and_plain_training():
    figure = drawn([PLAIN, *with_radii(AMP, 0.5, 1.0, 2.0)])
    panels = [axes for axes in figure.axes if axes.axison]
    titles = ["test error %", "test NLL", "test ECE", "validation loss"]
    assert [axes.get_title() for axes in panels] == titles
    for axes, factor in zip(panels, (100, 1, 1, 1)):
        (bars,) = axes.containers
        line, _, (errors,) = bars
        assert list(line.get_xdata()) == [0.5, 1.0, 2.0]
        means = [0.2 * factor, 0.3 * factor, 0.4 * factor]
        assert list(line.get_ydata()) == pytest.approx(means)
        low, high = errors.get_segments()[0][:, 1]
        assert (low, high) == pytest.approx((0.19 * factor, 0.21 * factor))
        dashed = axes.lines[-1]
        assert dashed.get_linestyle() == "--"
        assert list(dashed.get_ydata()) == pytest.approx([0.1 * factor] * 2)
        (band,) = axes.patches
        low, high = band.get_y(), band.get_y() + band.get_height()
        assert (low, high) == pytest.approx((0.09 * factor, 0.11 * factor))
        assert axes.get_xscale() == "log"
    legend = figure.axes[-1].get_legend().get_texts()
    assert {text.get_text() for text in legend} == {"plain training", "AMP"}


def test_last_epoch_has_a_row_of_its_own():
    figure = drawn(with_radii(AMP, 0.5, 1.0, 2.0), (*NAMES, *LAST))
    grid = figure.axes[0].get_gridspec()
    assert (grid.nrows, grid.ncols) == (2, 4)
    titles = [axes.get_title() for axes in figure.axes[4:]]
    assert titles == [*map(page.heading, LAST), ""]
    assert not any(axes.patches for axes in figure.axes)


def test_one_seed_has_no_deviation():
    rows, runs = made([PLAIN, *with_radii(AMP, 0.5, 1.0, 2.0)])
    for row in rows:
        row.update({f"{name}_std": None for name in NAMES})
    axes = radius_plot.draw(rows, runs, NAMES).axes[1]
    _, _, (errors,) = axes.containers[0]
    np.testing.assert_allclose(errors.get_segments()[2][:, 1], [0.4, 0.4])


@pytest.mark.parametrize("count", [3, 20])
def test_radii_are_labelled_as_they_are_given(count):
    """Of many there are round numbers, so that labels do not touch."""
    radii = [0.125 * 1.5**n for n in range(count)]
    figure = drawn(with_radii(AMP, *radii))
    axes = figure.axes[0]
    figure.canvas.draw()
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    if count == 3:
        assert ticks == radii
    else:
        assert 5 < len(ticks) < 12
        assert {float(f"{tick:.6g}") for tick in ticks} <= {
            digit * 10.0**power
            for digit in (1, 2, 5)
            for power in (-1, 0, 1, 2)
        }
