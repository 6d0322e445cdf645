"""The flags of what trains: one for each field of `TrainingConfig`."""

import dataclasses
import re

from absl import flags

from amp_keras import datasets
from amp_keras import models
from amp_keras.cli import command_line
from amp_keras.cli import config_file
from amp_keras.cli import help_text
from amp_keras.experiments import distribution
from amp_keras.experiments import optimizer
from amp_keras.experiments import perturbed_model
from amp_keras.experiments.config import TrainingConfig
from amp_keras.experiments.defaults import resolved
from amp_keras.perturbation import NORMS

_DEFAULT = TrainingConfig()
_LARGEST_IMAGE = 1024
_LEARNING_RATES = ", ".join(
    f"{rate:g} with {name}" for name, rate in optimizer.LEARNING_RATES.items()
)

command_line.define_name(
    "recipe",
    None,
    config_file.RECIPES,
    "A set of values for these flags: paper is the protocol of the paper, fast "
    "what is done by default, cheap that with the ascent on an eighth of each "
    "batch, late with AMP at the end, noisy for wrong labels in small data. "
    "--config and flags on the command line take precedence.",
)
flags.DEFINE_string(
    "config",
    None,
    "JSON file of values for these flags, such as the best.json of a search. "
    "Flags on the command line take precedence.",
)

command_line.define_name(
    "dataset",
    _DEFAULT.dataset,
    datasets.names,
    "The dataset. tfds:NAME is any image classification dataset of TensorFlow "
    "Datasets; folder:PATH has image files, PATH/train/CLASS/* and "
    "PATH/test/CLASS/*, or PATH/CLASS/*, of which a fifth is held out.",
    others=("tfds:NAME", "folder:PATH"),
    accepts=lambda name: name.startswith(datasets.PREFIXES),
)
command_line.define_integer(
    "image_size",
    _DEFAULT.image_size,
    "Side in pixels to which the images of tfds:NAME and folder:PATH are "
    "resized. Default: they stay as they are, all of one size.",
    lower_bound=1,
    upper_bound=_LARGEST_IMAGE,
)
command_line.define_name(
    "labels",
    _DEFAULT.labels,
    datasets.LABELS,
    "Which labels that people gave are trained on, with --dataset=cifar10_n. "
    "Default: worse_label.",
)
command_line.define_integer(
    "max_examples",
    _DEFAULT.max_examples,
    "Use a part of this many examples of the training data, validation part "
    "included, with each class' share as it is.",
    lower_bound=1,
)
command_line.define_float(
    "label_noise",
    _DEFAULT.label_noise,
    "Share of the labels of the training data, validation part included, that "
    "are replaced by wrong ones. Test labels stay.",
    lower_bound=0,
    upper_bound=1,
)
command_line.define_name(
    "label_noise_kind",
    _DEFAULT.label_noise_kind,
    datasets.NOISE_KINDS,
    "Whether a wrong label is drawn from all other classes, or is always the "
    "next class.",
)
command_line.define_name(
    "model",
    _DEFAULT.model,
    models.names,
    "The network: one of these, or a function of (input_shape, num_classes) "
    "that returns a Keras model with logits.",
    others=("FILE.py:FUNCTION", "PACKAGE.MODULE:FUNCTION"),
    accepts=lambda name: ":" in name,
)
command_line.define_name(
    "perturbation",
    _DEFAULT.perturbation,
    perturbed_model.KINDS,
    "AMP's perturbation, by gradient ascent, or random noise of norm epsilon, "
    "AMP's control (RMP), at the cost of plain training.",
)
command_line.define_float(
    "epsilon",
    _DEFAULT.epsilon,
    "Radius of the ball of perturbations; 0 trains without perturbation. The "
    "default depends on --model, --norm and --inner_fraction and is printed.",
    lower_bound=0,
)
command_line.define_bool(
    "adapt_epsilon",
    _DEFAULT.adapt_epsilon,
    "An experiment: the validation loss sets the radius after each epoch. "
    "--epsilon is the one that the perturbation begins with. Take "
    "--inner_lr=1e6 and --validation_split with it, as --recipe=adaptive does.",
)
command_line.define_float(
    "inner_lr", _DEFAULT.inner_lr, "Step size of the ascent.", lower_bound=0
)
command_line.define_integer(
    "inner_iters", _DEFAULT.inner_iters, "Ascent steps.", 0, 100
)
command_line.define_fraction(
    "inner_fraction",
    _DEFAULT.inner_fraction,
    "Share of each batch that the ascent sees: a step costs --inner_iters "
    "times this + 1 passes. A small part asks for a larger --epsilon.",
)
command_line.define_float(
    "perturb_from",
    _DEFAULT.perturb_from,
    "Fraction of the epochs after which the perturbation begins; the steps "
    "before are plain ones. Take --inner_lr=1e6 with it.",
    lower_bound=0,
    upper_bound=1,
)
command_line.define_name(
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
command_line.define_bool(
    "log_perturbation",
    _DEFAULT.log_perturbation,
    "Report the loss at the perturbed weights and the perturbation's size.",
)
command_line.define_integer("epochs", _DEFAULT.epochs, "Epochs.", lower_bound=1)
command_line.define_integer(
    "batch_size", _DEFAULT.batch_size, "Examples per step.", lower_bound=1
)
command_line.define_name(
    "optimizer",
    _DEFAULT.optimizer,
    optimizer.NAMES,
    "SGD with momentum, or AdamW, to which --momentum, --nesterov and --l2 do "
    "not belong.",
)
command_line.define_float(
    "learning_rate",
    _DEFAULT.learning_rate,
    "Highest learning rate; it then decays to zero along a cosine. Default: "
    f"{_LEARNING_RATES}.",
    lower_bound=0,
)
flags.DEFINE_string(
    "milestones",
    _DEFAULT.milestones,
    "Epochs, such as 100,150, at whose end the learning rate is divided by 10, "
    "instead of the cosine.",
)
command_line.define_float(
    "warmup_epochs",
    _DEFAULT.warmup_epochs,
    "Epochs of linear warm-up of the learning rate.",
    lower_bound=0,
)
command_line.define_float(
    "momentum", _DEFAULT.momentum, "Momentum of SGD.", 0, upper_bound=1
)
command_line.define_bool("nesterov", _DEFAULT.nesterov, "Nesterov momentum.")
command_line.define_float(
    "weight_decay",
    _DEFAULT.weight_decay,
    "Decoupled weight decay of kernels, as a factor of the learning rate.",
    lower_bound=0,
)
command_line.define_float(
    "l2",
    _DEFAULT.l2,
    "L2 regularization of all variables, through the momentum, as in torch.",
    lower_bound=0,
)
command_line.define_float(
    "clipnorm",
    _DEFAULT.clipnorm,
    "Global L2 norm to which the gradients of every pass are clipped.",
    lower_bound=1e-9,
)
command_line.define_float(
    "ema",
    _DEFAULT.ema,
    "Evaluate the exponential moving average of the weights, of this momentum "
    "a step, such as 0.99; 0 for the weights themselves.",
    lower_bound=0,
    upper_bound=0.999999,
)
command_line.define_bool(
    "augment",
    _DEFAULT.augment,
    "Crop (and mirror, where the dataset allows it) training images at random.",
)
command_line.define_integer(
    "crop",
    _DEFAULT.crop,
    "Pixels of zeros around a training image before a crop of its own size. "
    "Default: what the dataset has, such as 4 for cifar10; 0 for tfds:NAME and "
    "folder:PATH.",
    lower_bound=0,
)
command_line.define_bool(
    "flip",
    _DEFAULT.flip,
    "Mirror training images at random. Default: what the dataset has; false "
    "for tfds:NAME and folder:PATH.",
)
command_line.define_integer(
    "cutout",
    _DEFAULT.cutout,
    "Side in pixels of a black square in each training image, such as 16 for "
    "cifar10, 8 for cifar100 and 20 for svhn; 0 for none.",
    lower_bound=0,
)
command_line.define_bool(
    "randaugment",
    _DEFAULT.randaugment,
    "Apply two random operations to each training image.",
)
command_line.define_float(
    "mixup",
    _DEFAULT.mixup,
    "Alpha of MixUp; 0 for none. It excludes --cutmix.",
    lower_bound=0,
)
command_line.define_float(
    "cutmix",
    _DEFAULT.cutmix,
    "Alpha of CutMix; 0 for none. It excludes --mixup.",
    lower_bound=0,
)
command_line.define_float(
    "label_smoothing",
    _DEFAULT.label_smoothing,
    "Share of each training label that is spread over all classes.",
    lower_bound=0,
    upper_bound=0.99,
)
command_line.define_float(
    "gce",
    _DEFAULT.gce,
    "Minimize the generalized cross-entropy (1 - p**q) / q with this q, for "
    "wrong labels; 0 for the cross-entropy.",
    lower_bound=0,
    upper_bound=1,
)
command_line.define_integer(
    "seed",
    _DEFAULT.seed,
    "Seed of initialization, shuffle, augmentation, validation split and label "
    "noise.",
    lower_bound=0,
    upper_bound=2**31 - 1,
)
command_line.define_integer(
    "train_examples",
    _DEFAULT.train_examples,
    "Train on a random subset of this many examples, whatever the size of the "
    "validation part. See --max_examples.",
    lower_bound=1,
)
command_line.define_float(
    "validation_split",
    _DEFAULT.validation_split,
    "Share of the training data held out for validation (by track for gtsrb).",
    lower_bound=0,
    upper_bound=0.9,
)
command_line.define_bool(
    "restore_best_weights",
    _DEFAULT.restore_best_weights,
    "With --validation_split, keep the network after the epoch of the lowest "
    "validation loss; --norestore_best_weights keeps that after the last one.",
)
flags.DEFINE_string(
    "data_dir",
    _DEFAULT.data_dir,
    "Folder of prepared TFDS datasets. Default: ~/tensorflow_datasets.",
)
flags.DEFINE_string(
    "manual_dir",
    _DEFAULT.manual_dir,
    "Folder with the archives of gtsrb, read instead of downloading them, or "
    "with the labels of cifar10_n. "
    "Default: DATA_DIR/downloads/manual.",
)
command_line.define_name(
    "jit_compile",
    _DEFAULT.jit_compile,
    ("auto", "true", "false"),
    "Compile the training step with XLA; auto does so on a GPU.",
)
command_line.define_name(
    "distribution",
    _DEFAULT.distribution,
    distribution.NAMES,
    "Devices to train on: none for one; mirrored for those of this machine, "
    "with TensorFlow; data_parallel for those of all processes, with JAX; auto "
    "for all there are.",
)
command_line.define_integer(
    "verbose", _DEFAULT.verbose, "0: silent, 1: bar, 2: line an epoch.", 0, 2
)


help_text.theme("Sets of values", ("recipe", "config"))
help_text.theme(
    "Data",
    (
        "dataset",
        "image_size",
        "labels",
        "data_dir",
        "manual_dir",
        "max_examples",
        "validation_split",
        "train_examples",
        "label_noise",
        "label_noise_kind",
    ),
)
help_text.theme(
    "Augmentation",
    (
        "augment",
        "crop",
        "flip",
        "cutout",
        "randaugment",
        "mixup",
        "cutmix",
        "label_smoothing",
    ),
)
help_text.theme(
    "Network and perturbation",
    (
        "model",
        "perturbation",
        "epsilon",
        "adapt_epsilon",
        "inner_lr",
        "inner_iters",
        "inner_fraction",
        "perturb_from",
        "norm",
        "perturb",
        "log_perturbation",
    ),
)
help_text.theme(
    "Optimization",
    (
        "epochs",
        "batch_size",
        "optimizer",
        "learning_rate",
        "warmup_epochs",
        "milestones",
        "momentum",
        "nesterov",
        "weight_decay",
        "l2",
        "clipnorm",
        "ema",
        "gce",
        "restore_best_weights",
        "seed",
    ),
)
help_text.theme("Computation", ("jit_compile", "distribution", "verbose"))


@flags.validator("perturb", message="must be a regular expression")
def _is_regular_expression(pattern):
    try:
        re.compile(pattern or "")
    except (re.error, OverflowError, RecursionError):
        return False
    return True


@flags.validator("milestones", message="must be increasing epochs, as 100,150")
def _are_increasing(milestones):
    if milestones is None:
        return True
    epochs = milestones.split(",")
    if not all(epoch.isdecimal() for epoch in epochs):
        return False
    numbers = [0, *map(int, epochs)]
    return numbers[-1] <= 10**6 and all(
        a < b for a, b in zip(numbers, numbers[1:])
    )


def config_from_flags(resolve=True):
    """Returns what the command line describes.

    Args:
        resolve: Bool, whether defaults take the place of an epsilon and a
            learning rate that are not given, instead of `None`. Defaults to
            `True`.

    Returns:
        A tuple: a `TrainingConfig`, and where its epsilon comes from, a
        string, or `None` if it is not resolved.

    Raises:
        AMPKerasError: If the file of `--config` cannot be used.
    """
    names = [field.name for field in dataclasses.fields(TrainingConfig)]
    config_file.set_defaults(flags.FLAGS.recipe, flags.FLAGS.config, names)
    config = TrainingConfig(**{name: flags.FLAGS[name].value for name in names})
    return resolved(config) if resolve else (config, None)
