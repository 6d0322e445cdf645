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

import command_line
import distribution
import keras
from absl import flags
from config_file import ConfigError
from distribution import DistributionError
from run_directory import OutputError
from run_directory import RunDirectory
from run_directory import next_free
from training import TrainingError
from training import evaluate
from training import load_data
from training import train
from training_flags import config_from_flags

ERRORS = (ConfigError, DistributionError, OutputError, TrainingError)

flags.DEFINE_string(
    "coordinator_address",
    None,
    "HOST:PORT of process 0, if a run has several processes (JAX). Default: "
    "KERAS_DISTRIBUTION_JOB_ADDRESSES.",
)
command_line.define_integer(
    "num_processes",
    None,
    "Number of processes. Default: KERAS_DISTRIBUTION_NUM_PROCESSES.",
    lower_bound=1,
)
command_line.define_integer(
    "process_id",
    None,
    "Number of this process, from 0. Default: KERAS_DISTRIBUTION_PROCESS_ID.",
    lower_bound=0,
)
flags.DEFINE_string(
    "output_dir",
    None,
    "New folder for what the run leaves. Default: runs/DATASET-MODEL-...",
)


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


def main():
    config, origin = config_from_flags()
    print(
        f"{config.model} on {config.dataset}: epsilon={config.epsilon:g} "
        f"({origin}), norm={config.norm}, inner_lr={config.inner_lr:g}, "
        f"inner_iters={config.inner_iters}"
    )
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
    command_line.run(main, ERRORS)
