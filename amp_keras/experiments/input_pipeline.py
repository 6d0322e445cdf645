"""The data of a run: loaded, held out, cut into batches."""

import numpy as np

from amp_keras import datasets
from amp_keras.experiments import distribution
from amp_keras.experiments.config import TrainingError

_DATA_ADVICE = (
    "Ways out: --data_dir=FOLDER with a prepared copy; for gtsrb "
    "--manual_dir=FOLDER with its archives; --dataset=digits needs no download."
)


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
    augmentation = augmentation_of(config)
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


def training_batches(config, data, devices, start_step):
    """The batches of the steps from `start_step` on."""
    steps_per_epoch = len(data.train) // config.batch_size
    return datasets.training_batches(
        data.train,
        config.batch_size,
        seed=config.seed,
        steps=config.epochs * steps_per_epoch,
        start_step=start_step,
        padding=data.padding if config.augment else 0,
        flip=data.flip and config.augment,
        shard=(devices.process_id, devices.num_processes),
        augmentation=augmentation_of(config),
        num_classes=data.num_classes,
    )


def validation_batches(config, data, devices):
    """All validation examples that the devices can share equally."""
    count = len(data.validation)
    soft = augmentation_of(config).has_soft_labels
    return datasets.evaluation_batches(
        data.validation.take(np.arange(count - count % devices.num_replicas)),
        config.batch_size,
        shard=(devices.process_id, devices.num_processes),
        num_classes=data.num_classes if soft else None,
    )


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


def augmentation_of(config):
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


def _check_divisible(config, devices):
    if config.batch_size % devices.num_replicas:
        raise TrainingError(
            "--batch_size must be a multiple of the number of devices, "
            f"{devices.num_replicas}. "
            f"Received: --batch_size={config.batch_size}"
        )
