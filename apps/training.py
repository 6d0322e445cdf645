"""Training one network on one dataset, from data to measures."""

import contextlib
import dataclasses
import re

import distribution
import keras
import numpy as np
from resumption import DIVERGED_ADVICE
from resumption import Resumption
from resumption import TrainingError

import amp_keras
from amp_keras import datasets
from amp_keras import models
from amp_keras.evaluation import expected_calibration_error
from amp_keras.optimizers import L2SGD

_DATA_ADVICE = (
    "Ways out: --data_dir=FOLDER with a prepared copy; for gtsrb "
    "--manual_dir=FOLDER with its archives; --dataset=digits needs no download."
)


@dataclasses.dataclass
class TrainingConfig:
    """What a run is made of. The command line has a flag for each field.

    `epsilon=None` stands for the default of the network and the norm.
    """

    dataset: str = "digits"
    model: str = "resnet20"
    epsilon: float | None = None
    inner_lr: float = 1.0
    inner_iters: int = 1
    norm: str = "global"
    perturb: str | None = None
    log_perturbation: bool = False
    epochs: int = 30
    batch_size: int = 128
    learning_rate: float = 0.1
    milestones: str | None = None
    warmup_epochs: float = 1.0
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    l2: float = 0.0
    clipnorm: float | None = None
    augment: bool = True
    cutout: int = 0
    randaugment: bool = False
    mixup: float = 0.0
    cutmix: float = 0.0
    label_smoothing: float = 0.0
    seed: int = 0
    train_examples: int | None = None
    validation_split: float = 0.0
    data_dir: str | None = None
    manual_dir: str | None = None
    jit_compile: str = "auto"
    distribution: str = "auto"
    verbose: int = 1


def load_data(config, devices=None):
    """Loads the dataset and holds out what the configuration asks for.

    Args:
        config: A `TrainingConfig`.
        devices: What `distribution.create` returned. Defaults to `None`: one
            device.

    Returns:
        An `ImageData`.

    Raises:
        TrainingError: If the dataset can be neither found nor downloaded, if
            it is too small for what is asked, a batch cannot be divided by
            the devices, or its images cannot be augmented as asked.
    """
    _check_divisible(config, devices or distribution.SingleDevice())
    _check_schedule(config)
    augmentation = _augmentation(config)
    data = _load(config)
    _check_augmentation(augmentation, data)
    if config.validation_split:
        data.train, data.validation = _hold_out(data.train, config)
    if config.train_examples:
        data.train = _subset(data.train, config)
    if config.batch_size > len(data.train):
        raise TrainingError(
            "--batch_size must not exceed the number of training examples, "
            f"{len(data.train)}. Received: --batch_size={config.batch_size}"
        )
    return data


def build_network(config, data):
    """Builds the plain network: raw pixels in, logits out."""
    normalization = keras.layers.Normalization(name="normalization")
    batches = datasets.evaluation_batches(data.train, batch_size=1024)
    normalization.adapt(batches.map(lambda images, labels: images))
    inputs = keras.Input(data.image_shape, name="pixels")
    network = models.get(config.model)(data.image_shape, data.num_classes)
    outputs = network(normalization(inputs))
    return keras.Model(inputs, outputs, name=f"{config.dataset}_{config.model}")


def build_optimizer(config, steps_per_epoch):
    """SGD with momentum and the configuration's schedule.

    `weight_decay` is decoupled (`w -= learning_rate * weight_decay * w`) and
    leaves out biases and batch normalization. `l2` is part of the gradient of
    all variables, as in torch's SGD.
    """
    optimizer = L2SGD if config.l2 else keras.optimizers.SGD
    optimizer = optimizer(
        _schedule(config, steps_per_epoch),
        momentum=config.momentum,
        nesterov=config.nesterov,
        weight_decay=config.weight_decay or None,
        global_clipnorm=config.clipnorm,
        **({"l2": config.l2} if config.l2 else {}),
    )
    if config.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _schedule(config, steps_per_epoch):
    """Steps at the milestones, or a linear warm-up and a cosine to zero."""
    if config.milestones:
        milestones = [int(epoch) for epoch in config.milestones.split(",")]
        # The rate of a boundary is that before it.
        return keras.optimizers.schedules.PiecewiseConstantDecay(
            [epoch * steps_per_epoch - 1 for epoch in milestones],
            [config.learning_rate * 0.1**i for i in range(len(milestones) + 1)],
        )
    total_steps = config.epochs * steps_per_epoch
    warmup_steps = int(config.warmup_epochs * steps_per_epoch)
    warmup_steps = min(warmup_steps, total_steps - 1)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else config.learning_rate,
        decay_steps=total_steps - warmup_steps,
        warmup_target=config.learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )


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
            _training_batches(config, data, devices, resumption.progress),
            validation_data=data.validation
            and _validation_batches(config, data, devices),
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
    devices.check_equal(saved[1]["step"] if saved else 0)
    if saved:
        batches = _training_batches(config, data, devices, resumption.progress)
        resumption.restore(model, saved, next(batches.as_numpy_iterator()))


def _compiled_model(config, data, steps_per_epoch):
    network = build_network(config, data)
    _check_perturbs_some_variable(config, network)
    model = amp_keras.AMPModel(
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
    if _augmentation(config).has_soft_labels:
        return keras.losses.CategoricalCrossentropy(from_logits=True)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def evaluate(network, split, batch_size):
    """Measures a network on a split.

    Returns:
        A dict: `accuracy`; `loss`, the mean negative log-likelihood; and
        `ece`, the expected calibration error over 15 bins.

    Raises:
        TrainingError: If the network's outputs are not finite.
    """
    return measures(split, predict(network, split, batch_size))


def predict(network, split, batch_size):
    """Returns log-probabilities, a float64 array `(examples, classes)`.

    Raises:
        TrainingError: If the network's outputs are not finite.
    """
    batches = datasets.evaluation_batches(split, batch_size)
    logits = network.predict(batches, verbose=0).astype("float64")
    if not np.all(np.isfinite(logits)):
        raise TrainingError(
            f"The trained network's outputs are not finite. {DIVERGED_ADVICE}"
        )
    return np.asarray(keras.ops.log_softmax(logits))


def measures(split, log_probabilities):
    """Measures predictions, as `evaluate` does."""
    of_truth = log_probabilities[np.arange(len(split)), split.labels]
    predictions = log_probabilities.argmax(-1)
    return {
        "accuracy": float(np.mean(predictions == split.labels)),
        "loss": float(-np.mean(of_truth)),
        "ece": expected_calibration_error(
            split.labels, np.exp(log_probabilities)
        ),
    }


def _load(config):
    try:
        return datasets.load(config.dataset, config.data_dir, config.manual_dir)
    except datasets.DatasetError as error:
        raise TrainingError(f"{error}. {_DATA_ADVICE}") from error


def _hold_out(split, config):
    try:
        return datasets.hold_out(split, config.validation_split, config.seed)
    except ValueError as error:
        raise TrainingError(
            "--validation_split must leave examples of each class on both "
            f"sides. Received: --validation_split={config.validation_split}"
        ) from error


def _subset(split, config):
    if config.train_examples > len(split):
        raise TrainingError(
            "--train_examples must not exceed the number of training "
            f"examples, {len(split)}. "
            f"Received: --train_examples={config.train_examples}"
        )
    order = np.random.default_rng(config.seed).permutation(len(split))
    return split.take(order[: config.train_examples])


def _training_batches(config, data, devices, progress):
    """The batches of the steps that are left."""
    steps_per_epoch = len(data.train) // config.batch_size
    return datasets.training_batches(
        data.train,
        config.batch_size,
        seed=config.seed,
        steps=config.epochs * steps_per_epoch,
        start_step=progress.step,
        padding=data.padding if config.augment else 0,
        flip=data.flip and config.augment,
        shard=(devices.process_id, devices.num_processes),
        augmentation=_augmentation(config),
        num_classes=data.num_classes,
    )


def _augmentation(config):
    """What comes after crop and flip."""
    try:
        return datasets.Augmentation(
            randaugment=config.randaugment,
            cutout=config.cutout,
            mixup=config.mixup,
            cutmix=config.cutmix,
            label_smoothing=config.label_smoothing,
        )
    except ValueError as error:
        raise TrainingError(f"--mixup and --cutmix: {error}") from error


def _check_augmentation(augmentation, data):
    try:
        augmentation.check_shape(data.image_shape)
    except ValueError as error:
        raise TrainingError(
            f"--randaugment cannot be used with --dataset={data.name}: {error}"
        ) from error


def _validation_batches(config, data, devices):
    """All validation examples that the devices can share equally."""
    count = len(data.validation)
    soft = _augmentation(config).has_soft_labels
    return datasets.evaluation_batches(
        data.validation.take(np.arange(count - count % devices.num_replicas)),
        config.batch_size,
        shard=(devices.process_id, devices.num_processes),
        num_classes=data.num_classes if soft else None,
    )


def _check_divisible(config, devices):
    if config.batch_size % devices.num_replicas:
        raise TrainingError(
            "--batch_size must be a multiple of the number of devices, "
            f"{devices.num_replicas}. "
            f"Received: --batch_size={config.batch_size}"
        )


def _check_schedule(config):
    if config.milestones and config.warmup_epochs:
        raise TrainingError(
            "--warmup_epochs must be 0 with --milestones. "
            f"Received: --warmup_epochs={config.warmup_epochs:g}"
        )


def _check_perturbs_some_variable(config, network):
    paths = [w.path for w in network.trainable_weights]
    if config.perturb and not any(re.search(config.perturb, p) for p in paths):
        raise TrainingError(
            "--perturb must be found in the path of a trainable variable, "
            f"such as {paths[0]}. Received: --perturb={config.perturb}"
        )
