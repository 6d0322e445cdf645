"""The optimizer of a run and its learning rate over time."""

import warnings

import keras

from amp_keras.errors import AMPKerasError
from amp_keras.experiments.config import TrainingConfig
from amp_keras.optimizers import L2SGD

SGD, ADAMW = NAMES = ("sgd", "adamw")
# What stands for a rate that is not given.
LEARNING_RATES = {SGD: 0.1, ADAMW: 0.001}

_OF_SGD = ("l2", "momentum", "nesterov")


def learning_rate(config):
    """Returns that of a configuration, or the default of its optimizer."""
    if config.learning_rate is None:
        return LEARNING_RATES[config.optimizer]
    return config.learning_rate


def check(config):
    """Raises an `AMPKerasError` if flags contradict each other."""
    if config.milestones and config.warmup_epochs:
        raise AMPKerasError(
            "--warmup_epochs must be 0 with --milestones. "
            f"Received: --warmup_epochs={config.warmup_epochs:g}"
        )
    if config.optimizer == SGD:
        return
    for name in _OF_SGD:
        value, default = getattr(config, name), getattr(TrainingConfig, name)
        if value != default:
            raise AMPKerasError(
                f"--{name} must be {_shown(default)}, its default, with "
                f"--optimizer={config.optimizer}: it belongs to SGD. "
                f"Received: --{name}={_shown(value)}"
            )


def _shown(value):
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


def build_optimizer(config, steps_per_epoch):
    """Returns the optimizer of a configuration, with its schedule.

    `weight_decay` is decoupled (`w -= learning_rate * weight_decay * w`) and
    leaves out biases and batch normalization. `l2` is part of the gradient of
    all variables, as in torch's SGD. `ema` keeps averages of the weights.

    Args:
        config: A `TrainingConfig`.
        steps_per_epoch: Int.

    Raises:
        AMPKerasError: If flags contradict each other.
    """
    check(config)
    optimizer, arguments = {SGD: _sgd, ADAMW: _adamw}[config.optimizer](config)
    averages = {}
    if config.ema:
        optimizer = _keeping_weights(optimizer)
        averages = {"use_ema": True, "ema_momentum": config.ema}
    optimizer = optimizer(
        _schedule(config, steps_per_epoch),
        global_clipnorm=config.clipnorm,
        **arguments,
        **averages,
    )
    if config.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _sgd(config):
    """Returns the class and its own arguments."""
    arguments = {
        "momentum": config.momentum,
        "nesterov": config.nesterov,
        "weight_decay": config.weight_decay or None,
    }
    if config.l2:
        return L2SGD, {**arguments, "l2": config.l2}
    return keras.optimizers.SGD, arguments


def _adamw(config):
    # It takes no None.
    return keras.optimizers.AdamW, {"weight_decay": config.weight_decay}


def _keeping_weights(optimizer_class):
    """Returns a class of optimizers that leaves averages where they are.

    Keras gives them to the weights at the end of each `fit()`, from where a
    run that was stopped within an epoch could not go on.
    """

    class KeepsWeights(optimizer_class):
        def finalize_variable_values(self, var_list):
            """Leaves the weights as they are."""

    return KeepsWeights


def _schedule(config, steps_per_epoch):
    """Steps at the milestones, or a linear warm-up and a cosine to zero."""
    rate = learning_rate(config)
    if config.milestones:
        milestones = [int(epoch) for epoch in config.milestones.split(",")]
        # The rate of a boundary is that before it.
        return keras.optimizers.schedules.PiecewiseConstantDecay(
            [epoch * steps_per_epoch - 1 for epoch in milestones],
            [rate * 0.1**i for i in range(len(milestones) + 1)],
        )
    if config.epochs <= config.warmup_epochs:
        warnings.warn(
            "the learning rate is warmed up for as long as the run is and "
            "never reaches --learning_rate; try --warmup_epochs=0. Received: "
            f"--epochs={config.epochs}, "
            f"--warmup_epochs={config.warmup_epochs:g}",
            stacklevel=3,
        )
    total_steps = config.epochs * steps_per_epoch
    warmup_steps = int(config.warmup_epochs * steps_per_epoch)
    warmup_steps = min(warmup_steps, total_steps - 1)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else rate,
        decay_steps=total_steps - warmup_steps,
        warmup_target=rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
