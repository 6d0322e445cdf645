"""Trains a network by Adversarial Model Perturbation, or without it.

```
python apps/train.py --dataset=cifar10 --model=resnet20
python apps/train.py --dataset=cifar10 --model=resnet20 --epsilon=0
```

The second is plain training (ERM), the baseline. Each run leaves a folder with
the trained network, its measures on the test set, learning curves and the
configuration. `--dataset=digits`, the default, needs no download.

On two machines, JAX trains one network on the devices of both:

```
KERAS_BACKEND=jax python apps/train.py --coordinator_address=HOST0:1234 \
    --num_processes=2 --process_id=0    # and --process_id=1 on the other
```
"""

import dataclasses
import math
import pathlib
import re
import sys

import distribution
import keras
from absl import app
from absl import flags
from absl import logging
from default_epsilon import default_epsilon
from distribution import DistributionError
from run_directory import OutputError
from run_directory import RunDirectory
from run_directory import next_free
from training import TrainingConfig
from training import TrainingError
from training import evaluate
from training import load_data
from training import train

from amp_keras import datasets
from amp_keras import models
from amp_keras.datasets import DatasetError
from amp_keras.perturbation import NORMS

_DEFAULT = TrainingConfig()
_DATA_ADVICE = (
    "Ways out: --data_dir=FOLDER with a prepared copy; for gtsrb "
    "--manual_dir=FOLDER with its archives; --dataset=digits needs no download."
)

flags.DEFINE_enum("dataset", _DEFAULT.dataset, datasets.NAMES, "The dataset.")
flags.DEFINE_enum("model", _DEFAULT.model, models.NAMES, "The network.")
flags.DEFINE_float(
    "epsilon",
    _DEFAULT.epsilon,
    "Radius of the ball of perturbations; 0 trains without perturbation. The "
    "default depends on --model and --norm and is printed.",
    lower_bound=0,
)
flags.DEFINE_float(
    "inner_lr", _DEFAULT.inner_lr, "Step size of the ascent.", lower_bound=0
)
flags.DEFINE_integer(
    "inner_iters", _DEFAULT.inner_iters, "Ascent steps.", lower_bound=0
)
flags.DEFINE_enum(
    "norm",
    _DEFAULT.norm,
    NORMS,
    "One ball over all variables, as in the paper, or one for each variable, "
    "as in the authors' code.",
)
flags.DEFINE_string(
    "perturb",
    _DEFAULT.perturb,
    "Regular expression: perturb only the variables in whose path it is found, "
    "such as kernel. Default: all.",
)
flags.DEFINE_bool(
    "log_perturbation",
    _DEFAULT.log_perturbation,
    "Report the loss at the perturbed weights and the perturbation's size.",
)
flags.DEFINE_integer("epochs", _DEFAULT.epochs, "Epochs.", lower_bound=1)
flags.DEFINE_integer(
    "batch_size", _DEFAULT.batch_size, "Examples per step.", lower_bound=1
)
flags.DEFINE_float(
    "learning_rate",
    _DEFAULT.learning_rate,
    "Highest learning rate; it then decays to zero along a cosine.",
    lower_bound=0,
)
flags.DEFINE_float(
    "warmup_epochs",
    _DEFAULT.warmup_epochs,
    "Epochs of linear warm-up of the learning rate.",
    lower_bound=0,
)
flags.DEFINE_float(
    "momentum", _DEFAULT.momentum, "Momentum of SGD.", 0, upper_bound=1
)
flags.DEFINE_bool("nesterov", _DEFAULT.nesterov, "Nesterov momentum.")
flags.DEFINE_float(
    "weight_decay",
    _DEFAULT.weight_decay,
    "Decoupled weight decay of kernels, as a factor of the learning rate.",
    lower_bound=0,
)
flags.DEFINE_bool(
    "augment",
    _DEFAULT.augment,
    "Crop (and mirror, where the dataset allows it) training images at random.",
)
flags.DEFINE_integer(
    "seed",
    _DEFAULT.seed,
    "Seed of initialization, shuffle, augmentation and validation split.",
    lower_bound=0,
    upper_bound=2**31 - 1,
)
flags.DEFINE_integer(
    "train_examples",
    _DEFAULT.train_examples,
    "Train on a random subset of this many examples.",
    lower_bound=1,
)
flags.DEFINE_float(
    "validation_split",
    _DEFAULT.validation_split,
    "Share of the training data held out for validation (by track for gtsrb).",
    lower_bound=0,
    upper_bound=0.9,
)
flags.DEFINE_string(
    "data_dir",
    _DEFAULT.data_dir,
    "Folder of prepared TFDS datasets. Default: ~/tensorflow_datasets.",
)
flags.DEFINE_string(
    "manual_dir",
    _DEFAULT.manual_dir,
    "Folder with the archives of gtsrb, read instead of downloading them. "
    "Default: DATA_DIR/downloads/manual.",
)
flags.DEFINE_enum(
    "jit_compile",
    _DEFAULT.jit_compile,
    ("auto", "true", "false"),
    "Compile the training step with XLA; auto does so on a GPU.",
)
flags.DEFINE_enum(
    "distribution",
    _DEFAULT.distribution,
    distribution.NAMES,
    "Devices to train on: none for one; mirrored for those of this machine, "
    "with TensorFlow; data_parallel for those of all processes, with JAX; auto "
    "for all there are.",
)
flags.DEFINE_string(
    "coordinator_address",
    None,
    "HOST:PORT of process 0, if a run has several processes (JAX). Default: "
    "KERAS_DISTRIBUTION_JOB_ADDRESSES.",
)
flags.DEFINE_integer(
    "num_processes",
    None,
    "Number of processes. Default: KERAS_DISTRIBUTION_NUM_PROCESSES.",
    lower_bound=1,
)
flags.DEFINE_integer(
    "process_id",
    None,
    "Number of this process, from 0. Default: KERAS_DISTRIBUTION_PROCESS_ID.",
    lower_bound=0,
)
flags.DEFINE_integer(
    "verbose", _DEFAULT.verbose, "0: silent, 1: bar, 2: line an epoch.", 0, 2
)
flags.DEFINE_string(
    "output_dir",
    None,
    "New folder for what the run leaves. Default: runs/DATASET-MODEL-...",
)


@flags.multi_flags_validator(
    [
        "epsilon",
        "inner_lr",
        "learning_rate",
        "momentum",
        "validation_split",
        "warmup_epochs",
        "weight_decay",
    ],
    message="numbers must be finite",
)
def _are_finite(values):
    return all(v is None or math.isfinite(v) for v in values.values())


@flags.validator("perturb", message="must be a regular expression")
def _is_regular_expression(pattern):
    try:
        re.compile(pattern or "")
    except re.error:
        return False
    return True


def config_from_flags():
    """Returns the `TrainingConfig` that the command line describes."""
    names = [field.name for field in dataclasses.fields(TrainingConfig)]
    config = TrainingConfig(**{name: flags.FLAGS[name].value for name in names})
    origin = "given"
    if config.epsilon is None:
        config.epsilon, origin = default_epsilon(config.model, config.norm)
    print(
        f"{config.model} on {config.dataset}: epsilon={config.epsilon:g} "
        f"({origin}), norm={config.norm}, inner_lr={config.inner_lr:g}, "
        f"inner_iters={config.inner_iters}"
    )
    return config


def run(config, output_dir, devices=None):
    """Trains, measures on the test set and writes the run's folder.

    Args:
        config: A `TrainingConfig` with `epsilon` set.
        output_dir: String, a new or empty folder.
        devices: What `distribution.create` returns. Defaults to `None`: one
            device.

    Returns:
        The dict of measures written to `metrics.json`.
    """
    devices = devices or distribution.SingleDevice()
    keras.utils.set_random_seed(config.seed)
    directory = RunDirectory(output_dir)
    try:
        data = load_data(config, devices)
    except Exception:
        directory.remove_if_made()
        raise
    directory.write_config(
        {**dataclasses.asdict(config), "output_dir": str(output_dir)}
    )
    history_file = keras.callbacks.CSVLogger(directory.path / "history.csv")
    network, history, seconds = train(config, data, [history_file], devices)
    network.save(directory.path / "model.keras")
    # A copy that lives on this process' own device.
    network = keras.models.load_model(directory.path / "model.keras")
    metrics = {
        **_measures(network, data, config.batch_size),
        "train_accuracy": history["accuracy"][-1],
        "train_loss": history["loss"][-1],
        "epochs": config.epochs,
        "seconds": round(seconds, 1),
        "num_parameters": _num_parameters(network),
        "num_replicas": devices.num_replicas,
        **_method(config),
    }
    directory.write_metrics(metrics)
    directory.write_curves(history, metrics)
    return metrics


def assist(config, devices):
    """Trains as one of several processes, of which another one writes."""
    keras.utils.set_random_seed(config.seed)
    train(config, load_data(config, devices), devices=devices)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {' '.join(argv[1:])}")
    logging.set_verbosity(logging.ERROR)
    config = config_from_flags()
    try:
        run_from_flags(config)
    except DatasetError as error:
        sys.exit(f"train.py: {error}. {_DATA_ADVICE}")
    except (DistributionError, OutputError, TrainingError) as error:
        sys.exit(f"train.py: {error}")


def run_from_flags(config):
    """Runs one process of the command and prints what it leaves."""
    values = flags.FLAGS
    several = distribution.join(
        values.coordinator_address, values.num_processes, values.process_id
    )
    name = "data_parallel" if several else config.distribution
    devices = distribution.create(name)
    _print_devices(devices)
    if devices.process_id > 0:
        assist(config, devices)
        return
    output_dir = pathlib.Path(
        values.output_dir or next_free(_default_path(config))
    )
    metrics = run(config, output_dir, devices)
    print(
        f"test accuracy {metrics['test_accuracy']:.4f}, "
        f"test loss {metrics['test_loss']:.4f}, "
        f"test ECE {metrics['test_ece']:.4f}, "
        f"{metrics['seconds']:.0f} s of training"
    )
    for path in sorted(output_dir.iterdir()):
        print(f"wrote {path}")


def _print_devices(devices):
    plural = "s" if devices.num_replicas > 1 else ""
    backend = keras.config.backend()
    print(
        f"on {devices.num_replicas} {backend} device{plural}, "
        f"process {devices.process_id + 1} of {devices.num_processes}"
    )


def _measures(network, data, batch_size):
    splits = {"test": data.test}
    if data.validation:
        splits["val"] = data.validation
    return {
        f"{split}_{measure}": value
        for split, examples in splits.items()
        for measure, value in evaluate(network, examples, batch_size).items()
    }


def _num_parameters(network):
    return sum(math.prod(w.shape) for w in network.trainable_weights)


def _method(config):
    names = ("dataset", "model", "epsilon", "inner_lr", "inner_iters", "norm")
    return {name: getattr(config, name) for name in (*names, "seed")}


def _default_path(config):
    method = f"amp-{config.norm}-{config.epsilon:g}"
    if 0 in (config.epsilon, config.inner_lr, config.inner_iters):
        method = "erm"
    return (
        f"runs/{config.dataset}-{config.model}-{method}-"
        f"{config.epochs}epochs-seed{config.seed}"
    )


if __name__ == "__main__":
    app.run(main)
