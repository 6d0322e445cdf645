"""Validation measures against epsilon, for choosing a default.

```
python benchmarks/epsilon_scan.py --dataset=digits --model=resnet20 \
    --norm=global --epsilons=0,0.01,0.1 --seeds=0,1,2 --output=scan.csv
```

Each run holds a part of the training data out and never sees the test set. A
row is appended to the CSV file after each run; runs that it holds already are
not repeated.
"""

import csv
import pathlib
import sys

import keras
from absl import app
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "apps"))

from training import TrainingConfig
from training import evaluate
from training import load_data
from training import train

_KEYS = ("dataset", "model", "norm", "epsilon", "seed", "epochs", "examples")
_MEASURES = ("train_accuracy", "val_accuracy", "val_loss", "val_ece")

flags.DEFINE_string("dataset", "digits", "As in apps/train.py.")
flags.DEFINE_string("model", "resnet20", "As in apps/train.py.")
flags.DEFINE_string("norm", "global", "As in apps/train.py.")
flags.DEFINE_string("data_dir", None, "As in apps/train.py.")
flags.DEFINE_integer("epochs", 30, "As in apps/train.py.")
flags.DEFINE_integer("train_examples", None, "As in apps/train.py.")
flags.DEFINE_float("validation_split", 0.3, "As in apps/train.py.")
flags.DEFINE_list("epsilons", ["0", "0.01", "0.1"], "The radii to try.")
flags.DEFINE_list("seeds", ["0", "1", "2"], "The seeds of each.")
flags.DEFINE_string("output", "epsilon_scan.csv", "CSV file to append to.")

_CONFIG_FLAGS = (
    "dataset",
    "model",
    "norm",
    "data_dir",
    "epochs",
    "train_examples",
    "validation_split",
)


def scan_one(config):
    """Trains once; returns a row of the table."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(config.seed)
    data = load_data(config)
    network, history, _ = train(config, data)
    measures = evaluate(network, data.validation, config.batch_size)
    return {
        **_key(config, len(data.train)),
        "train_accuracy": history["accuracy"][-1],
        **{f"val_{name}": value for name, value in measures.items()},
    }


def _key(config, examples):
    values = {name: getattr(config, name) for name in _KEYS[:-1]}
    return {**values, "examples": examples}


def _rows(path):
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _is_done(config, rows):
    names = _KEYS[:-1]
    wanted = [str(getattr(config, name)) for name in names]
    return any([row[name] for name in names] == wanted for row in rows)


def _append(path, row):
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, [*_KEYS, *_MEASURES])
        if new:
            writer.writeheader()
        writer.writerow(row)


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


if __name__ == "__main__":
    app.run(main)
