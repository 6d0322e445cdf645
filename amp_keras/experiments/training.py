"""Training one network on one dataset."""

import contextlib
import re

import keras

from amp_keras import AMPModel
from amp_keras import datasets
from amp_keras import models
from amp_keras.experiments import distribution
from amp_keras.experiments.config import TrainingError
from amp_keras.experiments.input_pipeline import augmentation_of
from amp_keras.experiments.input_pipeline import training_batches
from amp_keras.experiments.input_pipeline import validation_batches
from amp_keras.experiments.optimizer import build_optimizer
from amp_keras.experiments.resumption import Resumption


def build_network(config, data):
    """Builds the plain network: raw pixels in, logits out."""
    normalization = keras.layers.Normalization(name="normalization")
    batches = datasets.evaluation_batches(data.train, batch_size=1024)
    normalization.adapt(batches.map(lambda images, labels: images))
    inputs = keras.Input(data.image_shape, name="pixels")
    network = models.get(config.model)(data.image_shape, data.num_classes)
    outputs = network(normalization(inputs))
    return keras.Model(inputs, outputs, name=f"{config.dataset}_{config.model}")


def train(config, data, callbacks=(), devices=None, **keeping):
    """Trains a network, or goes on with that.

    Args:
        config: A `TrainingConfig` with `epsilon` set.
        data: The `ImageData` to train on.
        callbacks: Keras callbacks. Defaults to none.
        devices: What `distribution.create` returned. Defaults to `None`: one
            device.
        keeping: `checkpoints`, `every_steps`, `stops` and `on_epoch`, as in
            `Resumption`. If `checkpoints` holds one, training goes on from
            there.

    Returns:
        A tuple: the trained plain network, after the epoch of the lowest
        validation loss if there is validation data and after the last one
        otherwise; and the `Progress`.

    Raises:
        CheckpointError: If a checkpoint cannot be written or is of another
            network.
        Interrupted: If `stops` said so; it is saved then.
        TrainingError: If the loss ceased to be finite, or `perturb` is found
            in no variable.
    """
    devices = devices or distribution.SingleDevice()
    steps_per_epoch = len(data.train) // config.batch_size
    resumption = Resumption(steps_per_epoch, **keeping)
    with devices.scope():
        model = _compiled_model(config, data, steps_per_epoch)
        _resume(resumption, model, config, data, devices)
        with _advice_on_memory(config):
            _fit(model, config, data, [resumption, *callbacks], devices)
        resumption.use_best_epoch(model.model)
    return model.model, resumption.progress


def _fit(model, config, data, callbacks, devices):
    resumption = callbacks[0]
    for part in resumption.rest(config.epochs):
        model.fit(
            training_batches(config, data, devices, resumption.progress.step),
            validation_data=data.validation
            and validation_batches(config, data, devices),
            callbacks=callbacks,
            shuffle=False,
            verbose=config.verbose if devices.process_id == 0 else 0,
            **part,
        )


@contextlib.contextmanager
def _advice_on_memory(config):
    """Turns each backend's own error into one that says what helps."""
    try:
        yield
    except Exception as error:
        if not re.search("RESOURCE_EXHAUSTED|out of memory|OOM", repr(error)):
            raise
        raise TrainingError(
            "The device is out of memory. Try a smaller --batch_size or "
            f"--model. Received: --batch_size={config.batch_size}, "
            f"--model={config.model}"
        ) from error


def _resume(resumption, model, config, data, devices):
    saved = resumption.load()
    step = saved[1]["step"] if saved else 0
    devices.check_equal(step)
    if saved:
        if devices.process_id == 0:
            print(f"going on after step {step}")
        batches = training_batches(config, data, devices, start_step=0)
        resumption.restore(model, saved, next(batches.as_numpy_iterator()))


def _compiled_model(config, data, steps_per_epoch):
    network = build_network(config, data)
    _check_perturbs_some_variable(config, network)
    model = AMPModel(
        network,
        epsilon=config.epsilon,
        inner_lr=config.inner_lr,
        inner_iters=config.inner_iters,
        norm=config.norm,
        perturb=config.perturb,
        inner_clipnorm=config.clipnorm,
        log_perturbation=config.log_perturbation,
    )
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
    if augmentation_of(config).has_soft_labels:
        return keras.losses.CategoricalCrossentropy(from_logits=True)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _check_perturbs_some_variable(config, network):
    paths = [w.path for w in network.trainable_weights]
    if config.perturb and not any(re.search(config.perturb, p) for p in paths):
        raise TrainingError(
            "--perturb must be found in the path of a trainable variable, "
            f"such as {paths[0]}. Received: --perturb={config.perturb}"
        )
