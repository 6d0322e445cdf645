"""Methods of several comparisons in one table.

```
python scripts/comparisons_table.py FOLDER...
python scripts/comparisons_table.py --chosen --methods=erm,adaptive FOLDER...
```

A row is a folder that `apps/compare.py` has written. A cell is test error (%)
and NLL, mean and standard deviation over seeds, of the last epoch or, with
`--chosen`, of the epoch of the lowest validation loss. In brackets is the value
of a method's hyperparameter; where several values were run with all seeds, the
one of the lowest error in that epoch. `--mean` adds a row with mean and
standard deviation of the means above it.
"""

import argparse
import csv
import json
import os
import pathlib
import statistics

from amp_keras.experiments import markdown

_HEADERS = {
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


def main():
    flags = _parse_arguments()
    methods = flags.methods.split(",")
    headers = [_HEADERS.get(method, method) for method in methods]
    rows = [_row(folder, methods, flags) for folder in flags.folders]
    if flags.mean:
        rows.append(_mean_row(rows))
    print(markdown.table(["data and network", "seeds", *headers], rows))


def _parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    parser.add_argument("--methods", default=",".join(_HEADERS))
    parser.add_argument("--chosen", action="store_true")
    parser.add_argument("--mean", action="store_true")
    parser.add_argument("--links_from", default="docs")
    return parser.parse_args()


def _row(folder, methods, flags):
    results = _results(folder)
    prefix = "" if flags.chosen else "last_"
    cells = [_cell(results, method, prefix) for method in methods]
    link = _link(folder, flags.links_from)
    return [link, results["erm"]["seeds"], *cells]


def _results(folder):
    """Returns the rows of a comparison by the name of the method."""
    with open(folder / "comparison.csv", newline="") as file:
        return {row["method"]: row for row in csv.DictReader(file)}


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
    error = _mean_and_std(results[best], f"{prefix}test_error", 100, 1)
    nll = _mean_and_std(results[best], f"{prefix}test_loss", 1, 3)
    epsilon = best.removeprefix(method).removeprefix("-epsilon-")
    return f"{error} / {nll}" + (f" ({epsilon})" if epsilon else "")


def _mean_and_std(row, name, factor, decimals):
    mean = f"{factor * float(row[name]):.{decimals}f}"
    std = row[f"{name}_std"]
    return f"{mean} ± {factor * float(std):.{decimals}f}" if std else mean


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


if __name__ == "__main__":
    main()
