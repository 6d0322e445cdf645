"""What a radius does: the metrics of methods against their epsilon."""

import dataclasses

import matplotlib.figure
from matplotlib import ticker

from amp_keras.comparison.page import METRICS
from amp_keras.comparison.page import heading
from amp_keras.experiments.plots import literal

_PANELS = (
    "test_error",
    "test_loss",
    "test_ece",
    "val_loss",
    "last_test_error",
    "last_test_loss",
    "last_test_ece",
)
_COLUMNS = 4
_FEWEST_RADII = 3
# Of more the labels would touch each other.
_MOST_LABELS = 8


@dataclasses.dataclass(frozen=True)
class Curve:
    """A method with several radii.

    Attributes:
        title: String, its title without the radius.
        rows: Dict of rows of `statistics.by_method` by epsilon, ascending.
    """

    title: str
    rows: dict


def curves(rows, runs):
    """Returns the methods that have several radii, all else being equal.

    Args:
        rows: What `statistics.by_method` returns.
        runs: List of all `Run`s of the comparison.

    Returns:
        List of `Curve`s, empty if none has three radii.
    """
    groups = {}
    for row, run in _with_runs(rows, runs):
        if run.config.epsilon:
            title = run.method.title_without("epsilon")
            curve = groups.setdefault(_all_but_radius(run), Curve(title, {}))
            curve.rows[run.config.epsilon] = row
    found = [
        Curve(curve.title, dict(sorted(curve.rows.items())))
        for curve in groups.values()
        if len(curve.rows) > 1
    ]
    enough = any(len(curve.rows) >= _FEWEST_RADII for curve in found)
    return found if enough else []


def draw(rows, runs, names):
    """Error, losses and ECE against epsilon, as means over seeds.

    The first method without a radius is a dashed line. What is known of the
    last epoch stands in a second row.

    Args:
        rows, runs: As in `curves`.
        names: Names of `METRICS` that the rows have.

    Returns:
        A matplotlib figure, or `None` if no method has three radii.
    """
    found = curves(rows, runs)
    if not found:
        return None
    plain = _plain(rows, runs)
    panels = [name for name in _PANELS if name in names]
    # One more, for the legend.
    height = -(-(len(panels) + 1) // _COLUMNS)
    figure = matplotlib.figure.Figure(
        figsize=(15, 3.6 * height), layout="constrained"
    )
    *cells, last = figure.subplots(height, _COLUMNS, squeeze=False).flat
    for axes, name in zip(cells, panels):
        _draw_panel(axes, name, found, plain)
    for axes in [*cells[len(panels) :], last]:
        axes.set_axis_off()
    last.legend(*cells[0].get_legend_handles_labels(), loc="center")
    return figure


def _with_runs(rows, runs):
    """Returns each row with one of the runs of its method."""
    of_name = {run.method.name: run for run in runs}
    return [(row, of_name[row["method"]]) for row in rows]


def _all_but_radius(run):
    return repr(dataclasses.replace(run.config, epsilon=0.0, seed=0))


def _plain(rows, runs):
    """Returns the row of the first method without a radius, or `None`."""
    plain = [
        row for row, run in _with_runs(rows, runs) if not run.config.epsilon
    ]
    return plain[0] if plain else None


def _draw_panel(axes, name, found, plain):
    for number, curve in enumerate(found):
        moments = [_moments(row, name) for row in curve.rows.values()]
        means, deviations = zip(*moments)
        axes.errorbar(
            list(curve.rows),
            means,
            yerr=deviations,
            marker="o",
            markersize=4,
            capsize=2,
            linewidth=1.5,
            elinewidth=0.8,
            color=f"C{number % 10}",
            label=literal(curve.title),
        )
    if plain:
        _draw_plain(axes, *_moments(plain, name), literal(plain["title"]))
    axes.set_xscale("log")
    _label_radii(axes, sorted({e for curve in found for e in curve.rows}))
    axes.set_xlabel("epsilon")
    axes.set_title(heading(name))
    axes.grid(alpha=0.3)


def _draw_plain(axes, mean, deviation, label):
    axes.axhline(mean, color="gray", linestyle="--", label=label)
    axes.axhspan(mean - deviation, mean + deviation, color="gray", alpha=0.15)


def _label_radii(axes, radii):
    if len(radii) <= _MOST_LABELS:
        axes.xaxis.set_major_locator(ticker.FixedLocator(radii))
    else:
        axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(ticker.NullLocator())


def _moments(row, name):
    """Returns mean and standard deviation, in the units of the metric."""
    _, _, factor, _ = METRICS[name]
    return factor * row[name], factor * (row[f"{name}_std"] or 0)
