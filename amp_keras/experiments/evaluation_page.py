"""The page about an evaluation, `README.md` in its folder."""

from amp_keras.experiments import classification
from amp_keras.experiments import markdown
from amp_keras.experiments import metrics

_PAGE = """# {title}

{count} network(s) on the {examples:,} test images of {dataset}. How to read the
numbers: docs/evaluation.md of amp_keras.

{metrics}

{temperatures}

{curvature}{plots}
By class: `classes.csv`. All numbers: `evaluation.json`.

    {command}

amp_keras {revision}; {versions}.
"""
_CURVATURE = """Hessian of the training loss, in inference mode and without
augmentation (`--examples`: over how many training examples):

{table}

"""
_COLUMNS = {
    "network": "network",
    "eigenvalue_1": "largest eigenvalue",
    "relative_eigenvalue_1": "times the squared norm of the weights",
    "trace": "trace",
    "trace_standard_error": "standard error",
    "weights_norm": "norm of the weights",
    "converged": "converged",
}


def page(title, config, results, tables, plots):
    """Returns the page as Markdown.

    Args:
        title: String.
        config: Dict, what `config.json` has.
        results: Dict, what `evaluation.json` has for the networks.
        tables: Dict of rows by name of a table.
        plots: List of the `Plot`s that there are.
    """
    some = next(iter(results.values()))["predictions"]
    versions = [f"{name} {v}" for name, v in config["versions"].items()]
    return _PAGE.format(
        title=title,
        count=len(results),
        examples=some["examples"],
        dataset=config["dataset"],
        metrics=_metrics(tables),
        temperatures="\n".join(
            f"- {_fitted(name, found['predictions'])}"
            for name, found in results.items()
        ),
        curvature=_curvature(tables),
        plots="".join(
            f"![{plot.title}]({plot.name}.png)\n\n" for plot in plots
        ),
        command=config["command"],
        revision=config.get("revision") or "of an unknown revision",
        versions=", ".join(versions),
    )


def _fitted(name, predictions):
    values = " and ".join(f"{t:.4g}" for t in predictions["temperatures"])
    if predictions["fitted_on"] == classification.HALVES:
        return (
            f"{name}: no validation data, so each half of the test data is "
            f"scaled by the temperature fitted on the other; temperatures "
            f"{values}"
        )
    wrong = predictions["wrong_validation_labels"]
    wrong = f", {wrong:.1%} of whose labels are wrong" if wrong else ""
    return (
        f"{name}: temperature {values}, fitted on "
        f"{predictions['fitted_on']}{wrong}"
    )


def _metrics(tables):
    headings = {m.key: m.heading for m in metrics.of_evaluation()}
    columns = {"network": "network", "temperature": "temperature", **headings}
    return markdown.table_of_dicts(tables["metrics"], columns)


def _curvature(tables):
    if "curvature" not in tables:
        return ""
    return _CURVATURE.format(
        table=markdown.table_of_dicts(tables["curvature"], _COLUMNS)
    )
