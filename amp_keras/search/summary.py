"""What the table of a search says, in a sentence."""

import statistics

from amp_keras.search import trials


def sentence_on_best(rows, objective):
    """Compares the best trial with plain training.

    Args:
        rows: Rows of `trials.rows`, one of them successful.
        objective: String, `"val_loss"` or `"val_accuracy"`.

    Returns:
        String.
    """
    chosen, baseline = trials.best(rows), trials.baseline(rows)
    if baseline is None:
        return "no plain training succeeded: there is nothing to compare with"
    if chosen is baseline:
        return "the best is plain training, epsilon=0"
    return (
        f"the best is epsilon={chosen['epsilon']:g}: {objective} "
        f"{chosen[objective]:.4f}, plain training {baseline[objective]:.4f}; "
        f"{_chance(chosen, baseline, objective)}{_edge(chosen, rows)}"
    )


def _chance(chosen, baseline, objective):
    differences = [
        chosen[name] - baseline[name]
        for name in chosen
        if name.startswith(f"{objective}_seed")
    ]
    if len(differences) == 1:
        return (
            "one seed does not tell how much of it is chance: "
            "--executions_per_trial=3 does"
        )
    return (
        f"difference {statistics.mean(differences):+.4f}, standard deviation "
        f"{statistics.stdev(differences):.4f} over {len(differences)} seeds"
    )


def _edge(chosen, rows):
    norm = chosen.get("norm")
    epsilons = [r["epsilon"] for r in rows if r.get("norm") == norm]
    smallest, largest = min(e for e in epsilons if e > 0), max(epsilons)
    if chosen["epsilon"] not in (smallest, largest):
        return ""
    return "; it lies at the end of the values tried: try beyond"
