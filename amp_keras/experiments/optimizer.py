"""The optimizer of a run and its learning rate over time."""

import warnings

import keras

from amp_keras.errors import AMPKerasError
from amp_keras.optimizers import L2SGD


def build_optimizer(config, steps_per_epoch):
    """SGD with momentum and the configuration's schedule.

    `weight_decay` is decoupled (`w -= learning_rate * weight_decay * w`) and
    leaves out biases and batch normalization. `l2` is part of the gradient of
    all variables, as in torch's SGD. `ema` keeps averages of the weights.
    """
    optimizer = L2SGD if config.l2 else keras.optimizers.SGD
    averages = {}
    if config.ema:
        optimizer = _keeping_weights(optimizer)
        averages = {"use_ema": True, "ema_momentum": config.ema}
    optimizer = optimizer(
        _schedule(config, steps_per_epoch),
        momentum=config.momentum,
        nesterov=config.nesterov,
        weight_decay=config.weight_decay or None,
        global_clipnorm=config.clipnorm,
        **({"l2": config.l2} if config.l2 else {}),
        **averages,
    )
    if config.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


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
    if config.milestones:
        if config.warmup_epochs:
            raise AMPKerasError(
                "--warmup_epochs must be 0 with --milestones. "
                f"Received: --warmup_epochs={config.warmup_epochs:g}"
            )
        milestones = [int(epoch) for epoch in config.milestones.split(",")]
        # The rate of a boundary is that before it.
        return keras.optimizers.schedules.PiecewiseConstantDecay(
            [epoch * steps_per_epoch - 1 for epoch in milestones],
            [config.learning_rate * 0.1**i for i in range(len(milestones) + 1)],
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
        initial_learning_rate=0.0 if warmup_steps else config.learning_rate,
        decay_steps=total_steps - warmup_steps,
        warmup_target=config.learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
