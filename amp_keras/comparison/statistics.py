"""What the runs of a comparison say, method by method and seed by seed."""

import numpy as np
import scipy.stats

from amp_keras.experiments.passes import passes

_CONFIDENCE = 0.95
_RESAMPLES = 2000


def by_method(runs, found, metrics, trials=None):
    """Returns a row for each method: means and standard deviations.

    Args:
        runs: List of all `Run`s of the comparison.
        found: Dict of the metrics of those that have finished, by `Run`.
        metrics: Names of metrics, each a key of those.
        trials: Dict of the validation runs that chose a method's values, by
            `Method`. Defaults to `None`: none of any.

    Returns:
        List of dicts with `method`, `title`, `seeds`, `tuning_runs`, `passes`
        (relative to the first method), `seconds` (mean) and, for each metric,
        its mean and `NAME_std`, which is `None` for a single seed.
    """
    unit = passes(runs[0].config)
    return [
        {
            "method": method.name,
            "title": method.title,
            "seeds": len(of_method),
            "tuning_runs": (trials or {}).get(method, 0),
            "passes": passes(next(iter(of_method)).config) / unit,
            "seconds": _mean(of_method, "seconds"),
            **{
                key: value
                for name in metrics
                for key, value in _moments(of_method, name).items()
            },
        }
        for method, of_method in _groups(runs, found).items()
        if of_method
    ]


def by_run(found, metrics):
    """Returns a row for each finished run.

    Args:
        found: Dict of the metrics of the runs, by `Run`.
        metrics: As in `by_method`.

    Returns:
        List of dicts with `method`, `title`, `seed`, `seconds` and the metrics.
    """
    return [
        {
            "method": run.method.name,
            "title": run.method.title,
            "seed": run.config.seed,
            "seconds": of_run["seconds"],
            **{name: of_run[name] for name in metrics},
        }
        for run, of_run in found.items()
    ]


def differences(runs, found, metrics, predictions):
    """Returns how far each method is from the first one, seed by seed.

    Args:
        runs: As in `by_method`.
        found: As in `by_method`.
        metrics: As in `by_method`.
        predictions: Function of a `Run` that returns dicts of float arrays by
            metric, one value for each test example, for the metrics that are
            means over examples; or `None`.

    Returns:
        List of dicts with `method`, `metric`, `seeds` (that both methods
        have), `difference` (mean of method - first method), `low` and `high`
        (95 % interval of it over seeds, by Student's t; `None` for a single
        seed), `agree` (seeds whose difference has the sign of the mean),
        `test_low` and `test_high` (95 % interval of it over test examples,
        by a paired bootstrap; `None` where that cannot be told).
    """
    (_, first), *others = _groups(runs, found).items()
    baseline = {run.config.seed: run for run in first}
    rows = []
    for method, of_method in others:
        pairs = [
            (run, baseline[run.config.seed])
            for run in of_method
            if run.config.seed in baseline
        ]
        if pairs:
            rows += [
                _difference(method, name, pairs, found, predictions)
                for name in metrics
            ]
    return rows


def _difference(method, name, pairs, found, predictions):
    values = np.array(
        [found[run][name] - found[other][name] for run, other in pairs]
    )
    low, high = _interval_over_seeds(values)
    test_low, test_high = _interval_over_examples(name, pairs, predictions)
    return {
        "method": method.name,
        "title": method.title,
        "metric": name,
        "seeds": len(values),
        "difference": float(values.mean()),
        "low": low,
        "high": high,
        "agree": int(np.sum(np.sign(values) == np.sign(values.mean()))),
        "test_low": test_low,
        "test_high": test_high,
    }


def _interval_over_seeds(values):
    if len(values) < 2:
        return None, None
    error = values.std(ddof=1) / np.sqrt(len(values))
    reach = error * scipy.stats.t.ppf((1 + _CONFIDENCE) / 2, len(values) - 1)
    return float(values.mean() - reach), float(values.mean() + reach)


def _interval_over_examples(name, pairs, predictions):
    """The interval if the same networks met another test set of this size."""
    of_runs = [(predictions(run), predictions(other)) for run, other in pairs]
    if any(a is None or b is None or name not in a for a, b in of_runs):
        return None, None
    if len({len(values[name]) for pair in of_runs for values in pair}) > 1:
        return None, None
    of_example = np.mean([a[name] - b[name] for a, b in of_runs], axis=0)
    rng = np.random.default_rng(0)
    count = len(of_example)
    means = [
        of_example[rng.integers(count, size=count)].mean()
        for _ in range(_RESAMPLES)
    ]
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _groups(runs, found):
    """Returns the metrics of finished runs, by `Method` and `Run`."""
    groups = {run.method: {} for run in runs}
    for run, metrics in found.items():
        groups[run.method][run] = metrics
    return groups


def _mean(of_method, name):
    return float(np.mean([metrics[name] for metrics in of_method.values()]))


def _moments(of_method, name):
    values = np.array([metrics[name] for metrics in of_method.values()])
    several = len(values) > 1
    return {
        name: float(values.mean()),
        f"{name}_std": float(values.std(ddof=1)) if several else None,
    }
