"""The command that trains a network: `apps/train.py`."""

import dataclasses
import math
import pathlib
import sys

import keras
from absl import flags
from keras.callbacks import TensorBoard

from amp_keras import datasets
from amp_keras.cli import command_line
from amp_keras.cli.config_file import ConfigError
from amp_keras.cli.interruption import Interruption
from amp_keras.cli.training_flags import config_from_flags
from amp_keras.experiments import command
from amp_keras.experiments import distribution
from amp_keras.experiments import input_pipeline
from amp_keras.experiments import network_file
from amp_keras.experiments import plots
from amp_keras.experiments import run_name
from amp_keras.experiments.checkpoint_callback import Interrupted
from amp_keras.experiments.checkpoints import CheckpointError
from amp_keras.experiments.checkpoints import ReadOnlyCheckpoints
from amp_keras.experiments.config import TrainingError
from amp_keras.experiments.distribution import DistributionError
from amp_keras.experiments.evaluation import evaluate
from amp_keras.experiments.evaluation import measures
from amp_keras.experiments.evaluation import predict
from amp_keras.experiments.input_pipeline import load_data
from amp_keras.experiments.output_directory import OutputError
from amp_keras.experiments.run_directory import RunDirectory
from amp_keras.experiments.training import train

ERRORS = (
    CheckpointError,
    ConfigError,
    DistributionError,
    OutputError,
    TrainingError,
)

command_line.define_bool(
    "require_gpu", False, "Fail at once if there is no GPU."
)
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
    "Folder for what the run leaves; a run that stands there is continued. "
    "Default: runs/DATASET-MODEL-...",
)
command_line.define_bool(
    "overwrite", False, "Remove the run that stands in the output folder."
)
command_line.define_integer(
    "checkpoint_steps",
    None,
    "Save the run every so many steps. Default: at the end of each epoch.",
    lower_bound=1,
)


def train_and_evaluate(config, directory, devices=None, **keeping):
    """Trains, or goes on with that, measures and writes the run's folder.

    Args:
        config: A `TrainingConfig` with `epsilon` set.
        directory: A `RunDirectory` for it.
        devices: What `distribution.create` returns. Defaults to `None`: one
            device.
        keeping: As in `train`.

    Returns:
        The dict of measures written to `metrics.json`.
    """
    devices = devices or distribution.SingleDevice()
    keras.utils.set_random_seed(config.seed)
    try:
        data = load_data(config, devices)
        directory.write_config(**input_pipeline.facts(data))
        input_pipeline.print_labels(config, data)
        network, progress = train(
            config,
            data,
            [TensorBoard(directory.tensorboard, write_graph=False)],
            devices,
            checkpoints=directory.checkpoints,
            on_epoch=directory.write_history,
            **keeping,
        )
    except ERRORS:
        if not directory.checkpoints.exist():
            directory.discard()
        raise
    path = directory.write_model(network)
    # A copy that lives on this process' own device.
    network = keras.models.load_model(path)
    predictions = predict(network, data.test, config.batch_size)
    metrics = {
        **_measures(network, data, predictions, config),
        **_facts(config, network, progress, devices),
        "wrong_label_share": data.wrong_label_share,
    }
    _report(directory, data, predictions, progress.history, metrics)
    directory.finish(metrics)
    return metrics


def _report(directory, data, predictions, history, metrics):
    directory.write_history(history)
    classes = predictions.argmax(-1)
    for name, figure in (
        ("curves", plots.curves(history, metrics)),
        (
            "confusion",
            plots.confusion(data.test.labels, classes, data.class_names),
        ),
        (
            "mistakes",
            plots.worst_mistakes(data.test, predictions, data.class_names),
        ),
    ):
        directory.write_picture(name, figure)
    directory.write_page(metrics)


def assist(config, path, devices):
    """Trains as one of several processes, of which the first one writes."""
    if not devices.of_first_process(False):
        print("there is nothing to train; process 1 says why")
        return
    keras.utils.set_random_seed(config.seed)
    checkpoints = ReadOnlyCheckpoints(path / "checkpoints")
    data = load_data(config, devices)
    train(config, data, (), devices, checkpoints=checkpoints)


def main():
    datasets.hide_gpus_from_tensorflow()
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
    if values.require_gpu:
        distribution.check_gpu()
    devices = distribution.create(config.distribution, several)
    _print_devices(devices)
    settings = {**dataclasses.asdict(config), **network_file.facts(config)}
    path = values.output_dir or RunDirectory.first_free(
        _default_name(config), settings
    )
    if devices.process_id > 0:
        assist(config, pathlib.Path(path), devices)
        return
    directory = _open(path, settings, devices)
    try:
        metrics = directory.metrics or _run_until_interrupted(
            config, directory, devices
        )
    finally:
        directory.close()
    _print_results(metrics, directory.path)


def _open(path, settings, devices):
    """Returns the run's folder; tells other processes if there is work left."""
    trains = False
    try:
        directory = RunDirectory(path, settings, flags.FLAGS.overwrite)
        trains = not directory.metrics
    finally:
        devices.of_first_process(trains)
    return directory


def _run_until_interrupted(config, directory, devices):
    with Interruption() as interruption:
        try:
            return train_and_evaluate(
                config,
                directory,
                devices,
                every_steps=flags.FLAGS.checkpoint_steps,
                stops=interruption.came,
            )
        except Interrupted:
            print(
                "Interrupted and saved. The same command goes on from here:\n"
                f"{command.repeated()}",
                file=sys.stderr,
            )
            sys.exit(128 + interruption.signal)


def _print_results(metrics, path):
    print(
        f"test accuracy {metrics['test_accuracy']:.4f}, "
        f"test loss {metrics['test_loss']:.4f}, "
        f"test ECE {metrics['test_ece']:.4f}, "
        f"{metrics['seconds']:.0f} s of training"
    )
    for file in sorted(path.iterdir()):
        print(f"wrote {file}")


def _print_devices(devices):
    plural = "s" if devices.num_replicas > 1 else ""
    backend = keras.config.backend()
    print(
        f"on {devices.num_replicas} {backend} device{plural}, "
        f"process {devices.process_id + 1} of {devices.num_processes}"
    )


def _measures(network, data, predictions, config):
    values = {"test": measures(data.test, predictions)}
    if data.validation:
        values["val"] = evaluate(network, data.validation, config.batch_size)
    return {
        f"{split}_{measure}": value
        for split, of_split in values.items()
        for measure, value in of_split.items()
    }


def _facts(config, network, progress, devices):
    epoch = progress.best_epoch or config.epochs
    return {
        "train_accuracy": progress.history["accuracy"][epoch - 1],
        "train_loss": progress.history["loss"][epoch - 1],
        "epoch": epoch,
        "epochs": config.epochs,
        "seconds": round(progress.seconds, 1),
        "num_parameters": _num_parameters(network),
        "num_replicas": devices.num_replicas,
        **_method(config),
    }


def _num_parameters(network):
    return sum(math.prod(w.shape) for w in network.trainable_weights)


def _method(config):
    names = ("dataset", "model", "epsilon", "inner_lr", "inner_iters", "norm")
    return {name: getattr(config, name) for name in (*names, "seed")}


def _default_name(config):
    method = f"amp-{config.norm}-{config.epsilon:g}"
    if 0 in (config.epsilon, config.inner_lr, config.inner_iters):
        method = "erm"
    return (
        f"runs/{run_name.of_data(config)}-{run_name.of_network(config)}-"
        f"{method}-"
        f"{config.epochs}epochs-seed{config.seed}"
    )


def run():
    """The command, from `sys.argv` to its exit code."""
    command_line.run(main, ERRORS)
