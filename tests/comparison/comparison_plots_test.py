"""The plots of a comparison of few and of many methods, off the figures."""

import pathlib

import matplotlib.figure
import matplotlib.image
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from amp_keras.comparison import plots
from amp_keras.comparison import runs as comparison_runs
from amp_keras.comparison.directory import ComparisonDirectory
from amp_keras.comparison.method import Method
from amp_keras.experiments.config import TrainingConfig


def methods(count):
    return [
        Method(f"m{n}", f"AMP, the ascent on 1/8 of the batch, epsilon={n}", {})
        for n in range(count)
    ]


def comparison(count):
    runs = comparison_runs.paired(
        methods(count), [0, 1], TrainingConfig(), pathlib.Path("runs")
    )
    found = {
        run: {"test_error": 0.1 + 0.01 * n, "test_loss": 0.7 + 0.001 * n}
        for n, run in enumerate(runs)
    }
    return plots.comparison(found, lambda run: {"accuracy": [0.5, 0.6]}, 0.6)


def cost(count):
    rows = [
        {"title": method.title, "passes": 2.0, "seconds": 10.0 + n}
        | {"test_error": 0.1, "test_error_std": 0.01}
        | {"test_loss": 0.7, "test_loss_std": None}
        for n, method in enumerate(methods(count))
    ]
    return plots.cost(rows)


def labels(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def boxes(figure, texts):
    renderer = FigureCanvasAgg(figure).get_renderer()
    return [text.get_window_extent(renderer) for text in texts]


@pytest.mark.parametrize("count", [2, 10, 11, 25])
@pytest.mark.parametrize("draw", [comparison, cost])
def test_no_two_methods_have_the_same_color(draw, count):
    (legend,) = draw(count).legends
    colors = {str(handle.get_color()) for handle in legend.legend_handles}
    # The share of the right labels is one more.
    assert len(colors) == count + (draw is comparison)


@pytest.mark.parametrize("draw", [comparison, cost])
def test_many_methods_are_numbered(draw):
    assert labels(draw(10))[0].startswith("AMP, the ascent")
    assert labels(draw(25))[24].startswith("25: AMP, the ascent")


def test_bars_of_many_methods_have_their_numbers():
    figure = comparison(25)
    ticks = [t.get_text() for t in figure.axes[0].get_xticklabels()]
    assert ticks == [str(n) for n in range(1, 26)]
    assert not list(comparison(10).axes[0].get_xticks())


def test_values_of_many_methods_do_not_overlap():
    figure = comparison(25)
    figure.draw_without_rendering()
    # Of 11 and 36 %.
    assert figure.axes[0].texts[1].get_text() == "23.5"
    for axes in figure.axes[:2]:
        for texts in (axes.texts, axes.get_xticklabels()):
            found = boxes(figure, texts)
            assert not any(a.overlaps(b) for a, b in zip(found, found[1:]))


@pytest.mark.parametrize("count", [2, 25])
@pytest.mark.parametrize("draw", [comparison, cost])
def test_legend_leaves_the_panels_their_height(draw, count):
    figure = draw(count)
    figure.draw_without_rendering()
    for axes in figure.axes:
        height = axes.get_window_extent().height / figure.dpi
        assert height > 2.8


def test_cost_of_alike_methods_keeps_off_the_border():
    error, loss = cost(2).axes
    # Of 10 and 11 seconds, an error of 10 ± 1 % and a loss of 0.7.
    for axes in (error, loss):
        assert axes.get_xlim() == pytest.approx((0, 1.05 * 11))
    assert error.get_ylim() == pytest.approx((0, 1.05 * 11))
    assert loss.get_ylim() == pytest.approx((0, 1.05 * 0.7))


def test_legend_wider_than_its_figure_is_saved_whole(tmp_path):
    figure = matplotlib.figure.Figure(figsize=(2, 2), dpi=110)
    handle = figure.subplots().scatter([0], [0])
    legend = figure.legend([handle], ["a title of many words " * 5])
    (box,) = boxes(figure, [legend])
    assert box.width > 220
    directory = ComparisonDirectory(tmp_path / "comparison", {}, shared=True)
    directory.write_plot("wide", figure)
    directory.close()
    saved = matplotlib.image.imread(directory.path / "wide.png")
    assert saved.shape[1] > box.width
