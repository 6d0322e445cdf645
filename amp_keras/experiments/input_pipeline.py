"""The data of a run: loaded, held out, cut into batches."""

import dataclasses

import numpy as np

from amp_keras import datasets
from amp_keras.errors import AMPKerasError
from amp_keras.experiments import distribution

_DATA_ADVICE = (
    " Ways out: --data_dir=FOLDER with a prepared copy; for gtsrb and "
    "cifar10_n --manual_dir=FOLDER with what is not downloaded; "
    "--dataset=digits needs no download."
)
_SIZE_ADVICE = " --image_size=32, say, resizes them."


def load_data(config, devices=None):
    """Loads the dataset and makes of it what the configuration asks for.

    Wrong labels are drawn before the validation part is held out, and so are
    in it as well; they are never in the test data.

    Args:
        config: A `TrainingConfig`.
        devices: What `distribution.create` returned. Defaults to `None`: one
            device.

    Returns:
        An `ImageData`.

    Raises:
        AMPKerasError: If the dataset can be neither found nor downloaded, if
            it is too small for what is asked, a batch cannot be divided by
            the devices, its images cannot be augmented as asked, or an option
            is not for this dataset.
    """
    _check_options(config)
    _check_divisible(config, devices or distribution.SingleDevice())
    augmentation = augmentation_of(config)
    data = _load(config)
    _check_augmentation(augmentation, data)
    if config.max_examples:
        data.train = _stratified_part(data.train, config)
    if config.label_noise:
        data.train, _ = datasets.add_label_noise(
            data.train,
            data.num_classes,
            config.label_noise,
            config.label_noise_kind,
            config.seed,
        )
    if config.validation_split:
        data.train, data.validation = _hold_out(data.train, config)
    if config.train_examples:
        data.train = _subset(data.train, config)
    if config.batch_size > len(data.train):
        raise AMPKerasError(
            "--batch_size must not exceed the number of training examples, "
            f"{len(data.train)}. Received: --batch_size={config.batch_size}"
        )
    return data


def facts(data):
    """Returns what a person would want to know of the data, as JSON has it."""
    return {
        "class_names": list(data.class_names),
        "image_shape": list(data.image_shape),
        "pixel_range": list(data.pixel_range),
        "examples": {
            name: len(split)
            for name in ("train", "validation", "test")
            if (split := getattr(data, name)) is not None
        },
        "wrong_label_share": data.wrong_label_share,
    }


def sentence_on_labels(wrong_label_share, config):
    """Returns what is known of wrong labels, or an empty string.

    Args:
        wrong_label_share: As in `ImageData`.
        config: Dict, the fields of a `TrainingConfig`.
    """
    if wrong_label_share is None:
        return ""
    origins = []
    if config["dataset"] == "cifar10_n":
        labels = config["labels"] or datasets.LABELS[0]
        origins.append(f"{labels}, by people")
    if config["label_noise"]:
        origins.append(
            f"{config['label_noise_kind']} noise of {config['label_noise']:g}, "
            f"drawn by seed {config['seed']}"
        )
    origin = f" ({'; '.join(origins)})" if origins else ""
    return (
        f"{wrong_label_share:.1%} of the labels of the training data, "
        f"validation part included, are wrong{origin}; test labels are clean"
    )


def print_labels(config, data):
    """Prints what is known of wrong labels, if anything."""
    sentence = sentence_on_labels(
        data.wrong_label_share, dataclasses.asdict(config)
    )
    if sentence:
        print(sentence, flush=True)


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


def _check_options(config):
    for name, datasets_for_it, fits in (
        (
            "image_size",
            "tfds:NAME or folder:PATH",
            config.dataset.startswith(datasets.PREFIXES),
        ),
        ("labels", "cifar10_n", config.dataset == "cifar10_n"),
    ):
        value = getattr(config, name)
        if value is not None and not fits:
            raise AMPKerasError(
                f"--{name} must be given with --dataset={datasets_for_it} "
                f"only. Received: --{name}={value}, --dataset={config.dataset}"
            )
    for name in ("crop", "flip"):
        value = getattr(config, name)
        if value and not config.augment:
            raise AMPKerasError(
                f"--{name} must not be given with --augment=false. "
                f"Received: --{name}={value}"
            )


def _load(config):
    try:
        data = datasets.load(
            config.dataset,
            config.data_dir,
            config.manual_dir,
            config.image_size,
            config.labels,
            config.crop,
            config.flip,
        )
    except AMPKerasError as error:
        raise AMPKerasError(f"{error}.{_advice(config, error)}") from error
    if config.crop and config.crop >= min(data.image_shape[:2]):
        raise AMPKerasError(
            "--crop must be smaller than the images, which are of shape "
            f"{data.image_shape}. Received: --crop={config.crop}"
        )
    return data


def _advice(config, error):
    if "`image_size` is required" in str(error):
        return _SIZE_ADVICE
    return "" if config.dataset.startswith("folder:") else _DATA_ADVICE


def _stratified_part(split, config):
    try:
        return datasets.subset(split, config.max_examples, config.seed)
    except ValueError as error:
        raise AMPKerasError(
            "--max_examples must not exceed the number of training examples, "
            f"{len(split)}. Received: --max_examples={config.max_examples}"
        ) from error


def _hold_out(split, config):
    try:
        return datasets.hold_out(split, config.validation_split, config.seed)
    except ValueError as error:
        raise AMPKerasError(
            "--validation_split must leave examples of each class on both "
            f"sides. Received: --validation_split={config.validation_split}"
        ) from error


def _subset(split, config):
    if config.train_examples > len(split):
        raise AMPKerasError(
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
        raise AMPKerasError(f"--mixup and --cutmix: {error}") from error


def _check_augmentation(augmentation, data):
    try:
        augmentation.check_shape(data.image_shape)
    except ValueError as error:
        raise AMPKerasError(
            f"--randaugment cannot be used with --dataset={data.name}: {error}"
        ) from error


def _check_divisible(config, devices):
    if config.batch_size % devices.num_replicas:
        raise AMPKerasError(
            "--batch_size must be a multiple of the number of devices, "
            f"{devices.num_replicas}. "
            f"Received: --batch_size={config.batch_size}"
        )
