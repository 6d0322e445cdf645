"""Validation measures against epsilon, for choosing a default.

```
python benchmarks/epsilon_scan.py --dataset=digits --model=resnet20 \
    --norm=global --epsilons=0,0.01,0.1 --seeds=0,1,2 --output=scan.csv
```

Each run holds a part of the training data out and never sees the test set. A
row is appended to the CSV file after each run; runs that it holds already are
not repeated. At the end the means over seeds are printed as a Markdown table.
"""

import csv
import math
import pathlib
import statistics
import sys

import keras
from absl import app
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "apps"))

from training import TrainingConfig
from training import TrainingError
from training import evaluate
from training import load_data
from training import train

_CONFIG_FLAGS = (
    "dataset",
    "model",
    "norm",
    "data_dir",
    "epochs",
    "train_examples",
    "validation_split",
)
_KEYS = (*_CONFIG_FLAGS[:3], "epsilon", "seed", *_CONFIG_FLAGS[4:])
_MEASURES = ("train_accuracy", "val_accuracy", "val_loss", "val_ece")

flags.DEFINE_string("dataset", "digits", "As in apps/train.py.")
flags.DEFINE_string("model", "resnet20", "As in apps/train.py.")
flags.DEFINE_string("norm", "global", "As in apps/train.py.")
flags.DEFINE_string("data_dir", None, "As in apps/train.py.")
flags.DEFINE_integer("epochs", 30, "As in apps/train.py.")
flags.DEFINE_integer("train_examples", None, "As in apps/train.py.")
flags.DEFINE_float(
    "validation_split",
    0.3,
    "Share of the training data to judge by.",
    lower_bound=0.01,
    upper_bound=0.9,
)
flags.DEFINE_list("epsilons", ["0", "0.01", "0.1"], "The radii to try.")
flags.DEFINE_list("seeds", ["0", "1", "2"], "The seeds of each.")
flags.DEFINE_string("output", "epsilon_scan.csv", "CSV file to append to.")


def scan_one(config):
    """Trains once; returns a row of the table."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(config.seed)
    data = load_data(config)
    try:
        network, history, _ = train(config, data)
        measures = evaluate(network, data.validation, config.batch_size)
    except TrainingError:
        return {**_key(config), **dict.fromkeys(_MEASURES, math.nan)}
    return {
        **_key(config),
        "train_accuracy": history["accuracy"][-1],
        **{f"val_{name}": value for name, value in measures.items()},
    }


def _key(config):
    return {name: str(getattr(config, name)) for name in _KEYS}


def _rows(path):
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _is_done(config, rows):
    key = _key(config)
    return any({name: row[name] for name in _KEYS} == key for row in rows)


def _append(path, row):
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, [*_KEYS, *_MEASURES])
        if new:
            writer.writeheader()
        writer.writerow(row)


def table(rows):
    """Returns a Markdown table of the means over seeds."""
    columns = [name for name in _KEYS if name != "seed"]
    groups = {}
    for row in rows:
        key = tuple(row[name] for name in columns)
        groups.setdefault(key, []).append(row)
    header = [*columns, "seeds", *_MEASURES]
    lines = [header, ["---"] * len(header)]
    for key, group in groups.items():
        means = [
            statistics.mean(float(row[measure]) for row in group)
            for measure in _MEASURES
        ]
        lines.append([*key, str(len(group)), *(f"{m:.4f}" for m in means)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main(_):
    path = pathlib.Path(flags.FLAGS.output)
    shared = {name: flags.FLAGS[name].value for name in _CONFIG_FLAGS}
    for seed in map(int, flags.FLAGS.seeds):
        for epsilon in map(float, flags.FLAGS.epsilons):
            config = TrainingConfig(
                **shared, epsilon=epsilon, seed=seed, verbose=0
            )
            if not _is_done(config, _rows(path)):
                row = scan_one(config)
                _append(path, row)
                print(row)
    print(table(_rows(path)))


if __name__ == "__main__":
    app.run(main)
