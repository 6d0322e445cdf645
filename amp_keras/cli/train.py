"""The command that trains a network: `apps/train.py`."""

import contextlib

import keras
from absl import flags

from amp_keras import datasets
from amp_keras.cli import command_line
from amp_keras.cli import help_text
from amp_keras.cli import output_flags  # noqa: F401
from amp_keras.cli.interruption import Interruption
from amp_keras.cli.training_flags import config_from_flags
from amp_keras.experiments import distribution
from amp_keras.experiments import metrics as run_metrics
from amp_keras.experiments import perturbed_model
from amp_keras.experiments import run_name
from amp_keras.experiments import train_and_evaluate as experiment
from amp_keras.experiments.checkpoint_callback import Interrupted
from amp_keras.experiments.run_directory import RunDirectory

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
command_line.define_integer(
    "checkpoint_steps",
    None,
    "Save the run every so many steps. Default: at the end of each epoch.",
    lower_bound=1,
)
help_text.theme("The run", ("output_dir", "overwrite", "checkpoint_steps"))
help_text.theme(
    "Several devices",
    ("require_gpu", "coordinator_address", "num_processes", "process_id"),
)


def main():
    datasets.hide_gpus_from_tensorflow()
    config, origin = config_from_flags()
    _print_config(config, origin)
    devices = _devices(config)
    _print_devices(devices)
    settings = experiment.settings(config, origin)
    path = flags.FLAGS.output_dir or RunDirectory.first_free(
        run_name.default_path(config), settings
    )
    if devices.process_id > 0:
        experiment.take_part(config, path, devices)
        return
    with contextlib.closing(_open(path, settings, devices)) as directory:
        metrics = directory.metrics or _run_until_interrupted(
            config, directory, devices
        )
    _print_results(metrics, directory.path)


def _devices(config):
    """Returns the devices to train on, of all processes of the run."""
    values = flags.FLAGS
    multi_process = distribution.initialize(
        values.coordinator_address, values.num_processes, values.process_id
    )
    if values.require_gpu:
        distribution.check_gpu()
    return distribution.create(config.distribution, multi_process)


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
            return experiment.train_and_evaluate(
                config,
                directory,
                devices,
                every_steps=flags.FLAGS.checkpoint_steps,
                should_stop=interruption.came,
            )
        except Interrupted:
            interruption.end()


def _print_config(config, origin):
    ascent = (
        f"inner_lr={config.inner_lr:g}, inner_iters={config.inner_iters}, "
        f"inner_fraction={config.inner_fraction:g}"
    )
    if config.perturbation == perturbed_model.RANDOM:
        ascent = "a random perturbation"
    print(
        f"{config.model} on {config.dataset}: epsilon={config.epsilon:g} "
        f"({origin}), norm={config.norm}, {ascent}"
    )


def _print_results(metrics, path):
    print(
        f"{run_metrics.line(metrics, 'test')}, "
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


def run():
    """The command, from `sys.argv` to its exit code."""
    command_line.run(main)
