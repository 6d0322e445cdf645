"""The tables of a comparison with those of further seeds of it.

A folder of `docs/results/` may have a folder `further_seeds`, which
`apps/compare.py` wrote for the same methods and other seeds. Means, standard
deviations and intervals of all seeds together follow from those of the two.
"""

import csv
import json
import math

import scipy.stats

from amp_keras.comparison.page import METRICS

_PARTS = ("", "further_seeds")
_MAY_DIFFER = {"seed", "command", "revision", "versions"}


def comparison(folder):
    """Returns the rows of `comparison.csv`, over all seeds.

    Args:
        folder: `pathlib.Path` of the comparison.

    Returns:
        List of dicts of strings, numbers and, for one seed, empty strings.
    """
    return [
        _of_all_seeds(parts) for parts in _by_key(folder, "comparison").values()
    ]


def differences(folder):
    """Returns the rows of `differences.csv`, over all seeds.

    Args:
        folder: As in `comparison`.

    Returns:
        List of dicts with `method`, `title`, `metric`, `seeds`, `difference`,
        `low`, `high` and `agree`, which is empty if the parts disagree.
    """
    return [
        _difference(parts) for parts in _by_key(folder, "differences").values()
    ]


def cell(row, metric):
    """Returns mean and standard deviation of a metric, as pages write them."""
    if row[metric] == "":
        return "-"
    _, _, factor, decimals = METRICS[metric]
    mean, std = row[metric], row[f"{metric}_std"]
    text = f"{factor * float(mean):.{decimals}f}"
    if std == "":
        return text
    return f"{text} ± {factor * float(std):.{decimals}f}"


def _by_key(folder, name):
    """Returns the rows of each method, or method and metric, of all parts."""
    _check_parts(folder)
    rows = {}
    for part in _PARTS:
        path = folder / part / f"{name}.csv"
        if path.exists():
            with open(path, newline="") as file:
                for row in csv.DictReader(file):
                    key = (row["method"], row.get("metric"))
                    rows.setdefault(key, []).append(row)
    return rows


def _check_parts(folder):
    """Raises a `ValueError` unless the parts are of the same but for seeds."""
    paths = [folder / part / "config.json" for part in _PARTS]
    if not paths[1].exists():
        return
    first, further = (json.loads(path.read_text()) for path in paths)
    differing = {
        name: (first[name], further[name])
        for name in (first.keys() & further.keys()) - _MAY_DIFFER
        if first[name] != further[name]
    }
    if differing:
        raise ValueError(
            "further seeds must be of the same configuration. "
            f"Received: {differing} in {folder}"
        )
    with open(folder / "comparison.csv", newline="") as file:
        seeds = max(int(row["seeds"]) for row in csv.DictReader(file))
    if further["seed"] < first["seed"] + seeds:
        raise ValueError(
            f"further seeds must begin after the {seeds} from "
            f"{first['seed']} on. Received: {further['seed']} in {folder}"
        )


def _of_all_seeds(parts):
    counts = [int(part["seeds"]) for part in parts]
    row = {**parts[0], "seeds": str(sum(counts))}
    row["seconds"] = _mean(counts, [float(part["seconds"]) for part in parts])
    # A metric that one part lacks is none of all seeds.
    for name in [name for name in row if f"{name}_std" in row]:
        if all(part.get(name) for part in parts):
            means = [float(part[name]) for part in parts]
            stds = [float(part[f"{name}_std"] or 0) for part in parts]
            mean, std = _moments(counts, means, stds)
            row |= {name: mean, f"{name}_std": "" if std is None else std}
        elif len(parts) > 1:
            row |= {name: "", f"{name}_std": ""}
    return row


def _difference(parts):
    counts = [int(part["seeds"]) for part in parts]
    means = [float(part["difference"]) for part in parts]
    stds = [_std(part, count) for part, count in zip(parts, counts)]
    mean, std = _moments(counts, means, stds)
    reach = "" if std is None else _reach(std, sum(counts))
    # Seeds that differ by nothing cannot be told from those of another sign.
    is_known = all(own * mean > 0 for own in means)
    return {
        **{name: parts[0][name] for name in ("method", "title", "metric")},
        "seeds": sum(counts),
        "difference": mean,
        "low": "" if std is None else mean - reach,
        "high": "" if std is None else mean + reach,
        "agree": sum(int(p["agree"]) for p in parts) if is_known else "",
    }


def _std(row, count):
    """Returns the deviation that an interval over seeds was made of."""
    if count == 1:
        return 0.0
    reach = (float(row["high"]) - float(row["low"])) / 2
    return reach / _reach(1, count)


def _reach(std, count):
    """Returns half of the 95 % interval of a mean, by Student's t."""
    return std / math.sqrt(count) * scipy.stats.t.ppf(0.975, count - 1)


def _moments(counts, means, stds):
    """Returns mean and standard deviation of all values of several groups."""
    mean = _mean(counts, means)
    squares = sum(
        (count - 1) * std**2 + count * (own - mean) ** 2
        for count, own, std in zip(counts, means, stds)
    )
    total = sum(counts)
    return mean, math.sqrt(squares / (total - 1)) if total > 1 else None


def _mean(counts, means):
    weighted = [count * mean for count, mean in zip(counts, means)]
    return sum(weighted) / sum(counts)
