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


_LAST_EPOCH = "data and network"
_CHOSEN_EPOCH = "data and network, at the chosen epoch"
_TABLE = re.compile(
    rf"^\| ({_LAST_EPOCH}|{_CHOSEN_EPOCH}) \| seeds \|.*\n(?:\|.*\n)*",
    re.MULTILINE,
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
    folders = list(map(pathlib.Path, folders))
    prefix = "" if chosen else "last_"
    rows = [_row(folder, methods, prefix, links_from) for folder in folders]
    if mean:
        rows.append(_mean_row(folders, methods, prefix))
    headers = [HEADERS.get(method, method) for method in methods]
    return markdown.table(
        [_CHOSEN_EPOCH if chosen else _LAST_EPOCH, "seeds", *headers],
        rows,
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
        chosen=found[1] == _CHOSEN_EPOCH,
        mean=len(rows) > len(comparisons),
        links_from=folder,
    )
    return f"{new}\n"


def _row(folder, methods, prefix, links_from):
    results = _results(folder)
    cells = [_cell(results, method, prefix) for method in methods]
    return [_link(folder, links_from), results["erm"]["seeds"], *cells]


def _results(folder):
    """Returns the rows of a comparison by the name of the method."""
    return {row["method"]: row for row in pooled.comparison(folder)}


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
    best = _best(results, method, prefix)
    if not best:
        return "-"
    error = pooled.cell(best, f"{prefix}test_error")
    nll = pooled.cell(best, f"{prefix}test_loss")
    epsilon = best["method"].removeprefix(method).removeprefix("-epsilon-")
    notes = [epsilon] if epsilon else []
    if best["seeds"] != results["erm"]["seeds"]:
        notes.append(f"{best['seeds']} seeds")
    return f"{error} / {nll}" + (f" ({', '.join(notes)})" if notes else "")


def _best(results, method, prefix):
    """Returns the row of a method with the value of the lowest error."""
    values = [
        row
        for name, row in results.items()
        if name == method or name.startswith(f"{method}-epsilon-")
    ]
    error = f"{prefix}test_error"
    return min(values, key=lambda row: float(row[error]), default=None)


def _mean_row(folders, methods, prefix):
    """Returns mean and standard deviation over folders, of each method."""
    of_folders = [_results(folder) for folder in folders]
    cells = []
    for method in methods:
        rows = [_best(results, method, prefix) for results in of_folders]
        error = _over_folders(rows, f"{prefix}test_error")
        cells.append(f"{error} / {_over_folders(rows, f'{prefix}test_loss')}")
    seeds = sum(int(results["erm"]["seeds"]) for results in of_folders)
    return ["all", seeds, *cells]


def _over_folders(rows, metric):
    values = [float(row[metric]) for row in rows]
    moments = statistics.mean(values), statistics.stdev(values)
    return pooled.cell(dict(zip((metric, f"{metric}_std"), moments)), metric)
