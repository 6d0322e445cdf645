"""The radius of a run to which none is given."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class _Measured:
    """A radius, and what it was chosen on, by validation data."""

    epsilon: float
    on: str


_CIFAR10 = "10,000 images of CIFAR-10 in 8 epochs, docs/epsilon.md"
_DIGITS = "digits in 40 epochs without augmentation, docs/epsilon.md"

# By network, norm and part of the batch that the ascent sees. A further one is
# a line more.
_MEASURED = {
    ("resnet8", "global", 1.0): _Measured(0.2, _DIGITS),
    ("resnet8", "global", 1 / 8): _Measured(0.5, _DIGITS),
    ("resnet8", "global", 1 / 16): _Measured(1.0, _DIGITS),
    ("resnet20", "global", 1.0): _Measured(0.02, _CIFAR10),
    ("resnet20", "per_variable", 1.0): _Measured(0.002, _CIFAR10),
}
_FALLBACK = "resnet20"

# For parts that are not in the table; the factor is that of ResNet-8 and 1/8.
_SMALL_PART = 1 / 4
_FACTOR_OF_SMALL_PART = 2.5


def default_epsilon(model, norm, inner_fraction=1.0):
    """Returns a radius, and where it comes from.

    Args:
        model: String, the name of the network.
        norm: String, `"global"` or `"per_variable"`.
        inner_fraction: Float, the part of each batch that the ascent sees.
            Defaults to `1.0`.

    Returns:
        A tuple: float, and a sentence about it for the person who runs it.
    """
    network, fraction = _nearest(model, norm, inner_fraction)
    measured = _MEASURED[network, norm, fraction]
    factor = 1.0 if fraction == inner_fraction else _factor(inner_fraction)
    times = f"{factor:g} times " if factor != 1 else ""
    origin = (
        f"{times}the default for {network}, norm={norm}{_shown(fraction)}: "
        f"measured on {measured.on}"
    )
    unlike = "" if network == model else f", {model}"
    if fraction != inner_fraction:
        unlike += _shown(inner_fraction)
    if unlike:
        origin += f"; not measured for {unlike.lstrip(', ')}: try others"
    return factor * measured.epsilon, origin


def _nearest(model, norm, inner_fraction):
    """Returns the network and part whose entry is taken."""
    return next(
        (network, fraction)
        for network in (model, _FALLBACK)
        for fraction in (inner_fraction, 1.0)
        if (network, norm, fraction) in _MEASURED
    )


def _factor(inner_fraction):
    return _FACTOR_OF_SMALL_PART if inner_fraction <= _SMALL_PART else 1.0


def _shown(fraction):
    return f", inner_fraction={fraction:g}" if fraction != 1 else ""
