"""One run, from its configuration to the folder that it leaves."""

import contextlib
import dataclasses
import math
import pathlib
import tempfile

import keras

from amp_keras.errors import AMPKerasError
from amp_keras.experiments import classification
from amp_keras.experiments import distribution
from amp_keras.experiments import input_pipeline
from amp_keras.experiments import metrics as run_metrics
from amp_keras.experiments import network_file
from amp_keras.experiments import plots
from amp_keras.experiments import tensorboard_logs
from amp_keras.experiments.checkpoints import ReadOnlyCheckpoints
from amp_keras.experiments.defaults import resolved
from amp_keras.experiments.evaluation import predict
from amp_keras.experiments.run_directory import RunDirectory
from amp_keras.experiments.training import train


def train_and_evaluate(config, directory, devices=None, callbacks=(), **saving):
    """Trains a network, or goes on with that, and writes the run's folder.

    A run that was stopped goes on from its last checkpoint; of one that has
    finished the metrics are read, and nothing is trained.

    Example:

    ```python
    from amp_keras.experiments.config import TrainingConfig
    from amp_keras.experiments.train_and_evaluate import train_and_evaluate

    config = TrainingConfig(dataset="digits", epsilon=0.1, epochs=2)
    metrics = train_and_evaluate(config, "runs/digits")
    print(metrics["test_accuracy"])
    ```

    Args:
        config: A `TrainingConfig`. Its `epsilon=None` stands for the default
            of network, norm and part of the batch, its `learning_rate=None`
            for that of the optimizer.
        directory: String or path, the folder: new, empty, or that of a run
            with the same configuration. Or an open `RunDirectory`, which
            stays open.
        devices: What `distribution.create` returns. Defaults to `None`: what
            `config.distribution` names.
        callbacks: Keras callbacks. Defaults to none.
        saving: `every_steps` and `should_stop`, as in `CheckpointCallback`.

    Returns:
        The dict of metrics that is written to `metrics.json`.

    Raises:
        AMPKerasError: If there is no such network or data, the backend lacks
            `config.distribution`, the folder is in use, is of another
            configuration or cannot be written, a checkpoint is of another
            network, or the loss or the outputs cease to be finite.
        Interrupted: If `should_stop` said so; the run is saved then.
    """
    if devices is None:
        devices = distribution.create(config.distribution)
    with _opened(config, directory) as directory:
        config, _ = resolved(config)
        return directory.metrics or _run(
            config, directory, devices, callbacks, saving
        )


def settings(config, epsilon_origin=None):
    """Returns what a `RunDirectory` keeps of a configuration, a dict.

    Args:
        config: A `TrainingConfig`.
        epsilon_origin: String, where its epsilon comes from, which is not
            compared. Defaults to `None`: it was given, unless it is `None`.

    Raises:
        AMPKerasError: If the file of the network cannot be used.
    """
    config, origin = resolved(config)
    return {
        **dataclasses.asdict(config),
        "epsilon_origin": epsilon_origin or origin,
        **network_file.facts(config),
    }


def take_part(config, path, devices):
    """Trains as one of several processes, of which the first one writes.

    Args:
        config: A `TrainingConfig` that is resolved.
        path: String or path, the folder of the run.
        devices: What `distribution.create` returned.
    """
    if not devices.of_first_process(False):
        print("there is nothing to train; process 1 says why")
        return
    keras.utils.set_random_seed(config.seed)
    checkpoints = ReadOnlyCheckpoints(pathlib.Path(path) / "checkpoints")
    data = input_pipeline.load_data(config, devices)
    train(config, data, (), devices, checkpoints=checkpoints)


def _opened(config, directory):
    if isinstance(directory, RunDirectory):
        return contextlib.nullcontext(directory)
    return contextlib.closing(RunDirectory(directory, settings(config)))


def _run(config, directory, devices, callbacks, saving):
    keras.utils.set_random_seed(config.seed)
    last = {}
    data, network, progress = _train(
        config, directory, devices, callbacks, last, saving
    )
    path = directory.write_model(network)
    # A copy that lives on this process' own device.
    network = keras.models.load_model(path)
    predictions = _predict(network, data, config.batch_size)
    metrics = {
        **_test_metrics(data, predictions),
        **_validation_metrics(data, predictions),
        **{f"last_{name}": value for name, value in last.items()},
        **_facts(config, network, progress, devices),
        "wrong_label_share": data.wrong_label_share,
    }
    _report(directory, data, predictions["test"], progress.history, metrics)
    directory.finish(metrics)
    return metrics


def _train(config, directory, devices, callbacks, last, saving):
    """Returns the data, the trained network and its `Progress`.

    What the network of the last epoch does is written to `last` if there is
    validation data, so that comparisons have both epochs of every run.
    """

    def on_last_epoch(network):
        if data.validation:
            predictions = _predict_by_copy(network, data, config.batch_size)
            last.update(_test_metrics(data, predictions))

    logs = tensorboard_logs.callbacks(
        directory.tensorboard, dataclasses.asdict(config), directory.path.name
    )
    try:
        data = input_pipeline.load_data(config, devices)
        directory.write_config(**input_pipeline.facts(data))
        input_pipeline.print_labels(config, data)
        network, progress = train(
            config,
            data,
            [*logs, *callbacks],
            devices,
            checkpoints=directory.checkpoints,
            on_epoch=directory.write_history,
            on_last_epoch=on_last_epoch,
            **saving,
        )
    except AMPKerasError:
        if not directory.checkpoints.exist():
            directory.discard()
        raise
    return data, network, progress


def _report(directory, data, predictions, history, metrics):
    directory.write_history(history)
    directory.write_predictions(data.test.labels, predictions)
    results = plots.Results(
        history, metrics, data.test, predictions, data.class_names
    )
    for plot in plots.PLOTS:
        directory.write_plot(plot.name, plot.draw(results))
    directory.write_page(metrics)


def _predict_by_copy(network, data, batch_size):
    """Predicts by a copy that lives on this process' own device."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "network.keras"
        network.save(path)
        return _predict(keras.models.load_model(path), data, batch_size)


def _predict(network, data, batch_size):
    """Returns the log-probabilities of the test and validation data."""
    predictions = {"test": predict(network, data.test, batch_size)}
    if data.validation:
        predictions["val"] = predict(network, data.validation, batch_size)
    return predictions


def _test_metrics(data, predictions):
    """Returns the metrics, some also at the validation data's temperature."""
    labels, of_test = data.test.labels, predictions["test"]
    values = run_metrics.compute(labels, of_test)
    if data.validation:
        validation = data.validation.labels, predictions["val"]
        values |= classification.scaled_metrics(labels, of_test, validation)
    return {f"test_{name}": value for name, value in values.items()}


def _validation_metrics(data, predictions):
    if not data.validation:
        return {}
    values = run_metrics.compute(data.validation.labels, predictions["val"])
    return {f"val_{name}": value for name, value in values.items()}


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
    names = (
        "dataset",
        "model",
        "perturbation",
        "epsilon",
        "adapt_epsilon",
        "inner_lr",
        "inner_iters",
        "inner_fraction",
        "perturb_from",
        "norm",
        "optimizer",
        "ema",
        "gce",
        "seed",
    )
    return {name: getattr(config, name) for name in names}
