"""Tables of docs/ whose rows are comparisons, from the pages of those.

A row is a folder that `apps/compare.py` has written, with its further seeds
(`pooled.py`). A cell is test error (%) and NLL, mean and standard deviation
over seeds, of the last epoch or of that of the lowest validation loss. In
brackets is the value of a method's hyperparameter, of several the one of the
lowest error in that epoch, and how many seeds there are if not as many as of
plain training.
"""

import json
import os
import pathlib
import re
import statistics

import pooled

from amp_keras.experiments import markdown

HEADERS = {
    "erm": "plain training",
    "sam": "SAM",
    "amp": "AMP",
    "amp-eighth": "AMP on 1/8",
    "adaptive": "radius set during the run",
    "adaptive-eighth": "radius set during the run, 1/8",
}
_NAMES = {
    "cifar10": "CIFAR-10",
    "cifar10_n": "CIFAR-10N",
    "gtsrb": "GTSRB",
    "mlp": "MLP",
    "resnet8": "ResNet-8",
    "resnet20": "ResNet-20",
    "adamw": "AdamW",
}


_LAST = "data and network"
_CHOSEN = "data and network, at the chosen epoch"
_TABLE = re.compile(
    rf"^\| ({_LAST}|{_CHOSEN}) \| seeds \|.*\n(?:\|.*\n)*", re.MULTILINE
)
_FOLDER = re.compile(r"\]\((.+?)/README\.md\)")


def table(folders, methods, chosen=False, mean=False, links_from="docs"):
    """Returns a table in Markdown.

    Args:
        folders: Paths of comparisons.
        methods: Names of methods, the first parts of theirs.
        chosen: Bool, whether cells are of the epoch of the lowest validation
            loss and not of the last one.
        mean: Bool, whether a row has mean and standard deviation of the means
            above it.
        links_from: Path of the folder of the page that the table is for.
    """
    rows = [_row(pathlib.Path(f), methods, chosen, links_from) for f in folders]
    if mean:
        rows.append(_mean_row(rows))
    headers = [HEADERS.get(method, method) for method in methods]
    return markdown.table(
        [_CHOSEN if chosen else _LAST, "seeds", *headers], rows
    )


def renewed(text, folder):
    """Returns a page with its tables as they are to be.

    Args:
        text: String, the page in Markdown. A table that links to no comparison
            stays.
        folder: `pathlib.Path` of the folder that it lies in.
    """
    return _TABLE.sub(lambda found: _renewed(found, folder), text)


def _renewed(found, folder):
    header, _, *rows = found[0].splitlines()
    names = {title: method for method, title in HEADERS.items()}
    titles = header.strip("| ").split(" | ")[2:]
    comparisons = [folder / name for name in _FOLDER.findall(found[0])]
    if not comparisons:
        return found[0]
    new = table(
        comparisons,
        [names.get(title, title) for title in titles],
        chosen=found[1] == _CHOSEN,
        mean=len(rows) > len(comparisons),
        links_from=folder,
    )
    return f"{new}\n"


def _row(folder, methods, chosen, links_from):
    results = {row["method"]: row for row in pooled.comparison(folder)}
    prefix = "" if chosen else "last_"
    cells = [_cell(results, method, prefix) for method in methods]
    return [_link(folder, links_from), results["erm"]["seeds"], *cells]


def _link(folder, links_from):
    page = os.path.relpath(folder / "README.md", links_from)
    return f"[{_setting(folder)}]({page})"


def _setting(folder):
    """Returns what was trained, in words."""
    config = json.loads((folder / "config.json").read_text())
    if config["dataset"].startswith("folder:"):
        return folder.name
    words = [config["dataset"]]
    if config["labels"]:
        words.append(config["labels"])
    elif config["label_noise"]:
        words.append(f"{100 * config['label_noise']:.0f} % wrong")
    else:
        words.append("right labels")
    words.append(config["model"])
    if config["augment"]:
        words.append("augmented")
    if config["epochs"] != 40:
        words.append(f"{config['epochs']} epochs")
    if config["batch_size"] != 64:
        words.append(f"batches of {config['batch_size']}")
    if config.get("optimizer", "sgd") != "sgd":
        words.append(config["optimizer"])
    return ", ".join(_NAMES.get(word, word) for word in words)


def _cell(results, method, prefix):
    values = [
        name
        for name in results
        if name == method or name.startswith(f"{method}-epsilon-")
    ]
    if not values:
        return "-"
    best = min(values, key=lambda n: float(results[n][f"{prefix}test_error"]))
    error = pooled.cell(results[best], f"{prefix}test_error")
    nll = pooled.cell(results[best], f"{prefix}test_loss")
    epsilon = best.removeprefix(method).removeprefix("-epsilon-")
    notes = [epsilon] if epsilon else []
    seeds = results[best]["seeds"]
    if seeds != results["erm"]["seeds"]:
        notes.append(f"{seeds} seeds")
    return f"{error} / {nll}" + (f" ({', '.join(notes)})" if notes else "")


def _mean_row(rows):
    """Returns mean and standard deviation over rows, of each method."""
    _, seeds, *columns = zip(*rows)
    cells = []
    for column in columns:
        errors, losses = zip(*(_numbers(cell) for cell in column))
        error = _over_rows(errors, 1)
        cells.append(f"{error} / {_over_rows(losses, 3)}")
    return ["all", sum(map(int, seeds)), *cells]


def _numbers(cell):
    """Returns the means of error and NLL in a cell."""
    return [float(part.split()[0]) for part in cell.split(" / ")]


def _over_rows(values, decimals):
    mean, std = statistics.mean(values), statistics.stdev(values)
    return f"{mean:.{decimals}f} ± {std:.{decimals}f}"
