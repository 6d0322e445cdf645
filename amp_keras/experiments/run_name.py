"""What a run is called, in file names and titles."""

import pathlib
import re

_LONGEST = 40


def of_data(config):
    """Returns a name of the training data: the dataset, and what is special.

    Args:
        config: A `TrainingConfig`.

    Returns:
        String, which can be part of the name of a file.
    """
    parts = [_dataset(config.dataset)]
    if config.labels:
        parts.append(config.labels)
    if config.max_examples:
        parts.append(f"{config.max_examples}examples")
    if config.label_noise:
        parts.append(f"{config.label_noise_kind}-noise-{config.label_noise:g}")
    return "-".join(parts)


def of_network(config):
    """Returns a name of the network, as `of_data` does."""
    return _plain(config.model.rpartition(":")[-1])


def of_network_and_data(config):
    """Returns the name of a model that is saved."""
    return f"{_dataset(config.dataset)}_{of_network(config)}"


def default_path(config):
    """Returns the folder of a run for which none is named.

    Args:
        config: A `TrainingConfig` with `epsilon` set.
    """
    kind = "rmp" if config.perturbation == "random" else "amp"
    method = f"{kind}-{config.norm}-{config.epsilon:g}"
    if config.adapt_epsilon:
        method = f"{kind}-{config.norm}-adaptive"
    if config.inner_fraction < 1:
        method += f"-part{round(1 / config.inner_fraction)}"
    if config.perturb_from:
        method += f"-from{config.perturb_from:g}"
    if 0 in (config.epsilon, config.inner_lr, config.inner_iters):
        method = "erm"
    if config.optimizer != "sgd":
        method += f"-{config.optimizer}"
    if config.ema:
        method += f"-ema{config.ema:g}"
    if config.gce:
        method += f"-gce{config.gce:g}"
    return (
        f"runs/{of_data(config)}-{of_network(config)}-{method}-"
        f"{config.epochs}epochs-seed{config.seed}"
    )


def _dataset(name):
    prefix, _, rest = name.partition(":")
    if prefix == "folder":
        rest = pathlib.Path(rest).expanduser().resolve().name
    return _plain(rest or prefix)


def _plain(text):
    return re.sub(r"[^\w.-]+", "_", text, flags=re.ASCII)[:_LONGEST]
