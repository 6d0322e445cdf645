"""Training one network on one dataset."""

import contextlib
import re

import keras

from amp_keras.errors import AMPKerasError
from amp_keras.experiments import adaptive_epsilon
from amp_keras.experiments import distribution
from amp_keras.experiments import late_start
from amp_keras.experiments import network_file
from amp_keras.experiments import normalization
from amp_keras.experiments import perturbed_model
from amp_keras.experiments import resumption
from amp_keras.experiments import run_name
from amp_keras.experiments.averaged_weights import AveragedWeights
from amp_keras.experiments.best_weights import BestWeights
from amp_keras.experiments.checkpoint_callback import CheckpointCallback
from amp_keras.experiments.finite_loss import FiniteLoss
from amp_keras.experiments.input_pipeline import augmentation_of
from amp_keras.experiments.input_pipeline import training_batches
from amp_keras.experiments.input_pipeline import validation_batches
from amp_keras.experiments.optimizer import build_optimizer
from amp_keras.experiments.progress import Progress
from amp_keras.experiments.progress import ProgressTracker
from amp_keras.experiments.resumption import MetricsOfBrokenEpoch
from amp_keras.losses import GeneralizedCrossEntropy


def build_network(config, data, statistics=None):
    """Builds the plain network: raw pixels in, logits out.

    Args:
        config: A `TrainingConfig`.
        data: The `ImageData` to train on.
        statistics: Dict, that of `normalization.statistics`. Defaults to
            `None`: that of the data.

    Raises:
        NetworkError: If there is no such network, or it cannot be built.
    """
    normalize = normalization.build(
        data.image_shape, statistics or normalization.statistics(data)
    )
    inputs = keras.Input(data.image_shape, name="pixels")
    network = network_file.build(config, data)
    outputs = network(normalize(inputs))
    name = run_name.of_network_and_data(config)
    return keras.Model(inputs, outputs, name=name)


def train(
    config,
    data,
    callbacks=(),
    devices=None,
    checkpoints=None,
    on_epoch=lambda history: None,
    on_last_epoch=lambda network: None,
    statistics=None,
    last_epoch=None,
    **saving,
):
    """Trains a network, or goes on with that.

    Args:
        config: A `TrainingConfig` with `epsilon` set.
        data: The `ImageData` to train on.
        callbacks: Keras callbacks. Defaults to none.
        devices: What `distribution.create` returned. Defaults to `None`: one
            device.
        checkpoints: `Checkpoints` to write. If there is one already, training
            goes on from there. Defaults to `None`: none.
        on_epoch: Function of the history, called at the end of each epoch.
            Defaults to one that does nothing.
        on_last_epoch: Function of the network, called with its weights after
            the last epoch. Defaults to one that does nothing.
        statistics: As in `build_network`.
        last_epoch: Int, the epochs after which to stop short, on the learning
            rate schedule of them all. Defaults to `None`: `config.epochs`.
        saving: `every_steps` and `should_stop`, as in `CheckpointCallback`.

    Returns:
        A tuple: the trained plain network, after the epoch of the lowest
        validation loss if there is validation data and `restore_best_weights`
        is true, and after the last one otherwise, at the averages of its
        weights if `ema` asks for them; and the `Progress`.

    Raises:
        AMPKerasError: If a checkpoint cannot be written or is of another
            network, the loss ceased to be finite, flags contradict each
            other, or `perturb` is found in no variable.
        Interrupted: If `should_stop` said so; it is saved then.
    """
    devices = devices or distribution.SingleDevice()
    last_epoch = last_epoch or config.epochs
    steps_per_epoch = len(data.train) // config.batch_size
    with devices.scope():
        model = _compiled_model(config, data, statistics, steps_per_epoch)
        progress, best = _resume(model, checkpoints, config, data, devices)
        averages = AveragedWeights(config, data) if config.ema else None
        # It has nothing to put back unless it is one of the callbacks.
        best_weights = BestWeights(progress, best, averages and averages.values)
        callbacks = [
            *([averages] if averages else []),
            *late_start.callbacks(config),
            MetricsOfBrokenEpoch(model, progress.step % steps_per_epoch),
            ProgressTracker(progress, on_epoch),
            FiniteLoss(progress, steps_per_epoch),
            *adaptive_epsilon.callbacks(config),
            *([best_weights] if config.restore_best_weights else []),
            CheckpointCallback(
                progress, best_weights, steps_per_epoch, checkpoints, **saving
            ),
            *callbacks,
        ]
        with _advice_on_memory(config):
            for part in progress.remaining_fits(steps_per_epoch, last_epoch):
                _fit(model, config, data, devices, progress, callbacks, part)
            if averages:
                averages.put(model)
    # It may load networks, which are to live on one device.
    on_last_epoch(model.model)
    with devices.scope():
        best_weights.put_back(model.model)
    return model.model, progress


def _fit(model, config, data, devices, progress, callbacks, part):
    model.fit(
        training_batches(config, data, devices, progress.step),
        validation_data=data.validation
        and validation_batches(config, data, devices),
        callbacks=callbacks,
        shuffle=False,
        verbose=config.verbose if devices.process_id == 0 else 0,
        **part,
    )


def _resume(model, checkpoints, config, data, devices):
    """Returns the `Progress` and the best weights of what was saved."""
    saved = checkpoints.load_latest() if checkpoints else None
    devices.check_equal(saved[1]["step"] if saved else 0)
    if not saved:
        return Progress(), {}
    arrays, progress = saved
    if devices.process_id == 0:
        print(f"going on after step {progress['step']}")
    batches = training_batches(config, data, devices, start_step=0)
    best = resumption.restore(
        model,
        arrays,
        progress.pop("epsilon"),
        next(batches.as_numpy_iterator()),
    )
    return Progress(**progress), best


@contextlib.contextmanager
def _advice_on_memory(config):
    """Turns each backend's own error into one that says what helps."""
    try:
        yield
    except Exception as error:
        if not re.search("RESOURCE_EXHAUSTED|out of memory|OOM", repr(error)):
            raise
        raise AMPKerasError(
            "The device is out of memory. Try a smaller --batch_size or "
            f"--model. Received: --batch_size={config.batch_size}, "
            f"--model={config.model}"
        ) from error


def _compiled_model(config, data, statistics, steps_per_epoch):
    network = build_network(config, data, statistics)
    model = perturbed_model.build(config, network)
    model.compile(
        optimizer=build_optimizer(config, steps_per_epoch),
        loss=_loss(config),
        metrics=["accuracy"],
        jit_compile={"auto": "auto", "true": True, "false": False}[
            config.jit_compile
        ],
    )
    return model


def _loss(config):
    """Returns what is minimized, and compares the epochs of a run."""
    if config.gce:
        return GeneralizedCrossEntropy(config.gce, from_logits=True)
    if augmentation_of(config).has_soft_labels:
        return keras.losses.CategoricalCrossentropy(from_logits=True)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
