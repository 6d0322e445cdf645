"""Networks by name: functions from `input_shape, num_classes` to a model."""

from amp_keras.models.preact_resnet import preactresnet18
from amp_keras.models.resnet import resnet20
from amp_keras.models.resnet import resnet32
from amp_keras.models.resnet import resnet44
from amp_keras.models.resnet import resnet56
from amp_keras.models.resnet import resnet110

_BUILDERS = {
    builder.__name__: builder
    for builder in (
        resnet20,
        resnet32,
        resnet44,
        resnet56,
        resnet110,
        preactresnet18,
    )
}

NAMES = tuple(_BUILDERS)


def get(name):
    """Returns the function that builds the network `name`.

    Args:
        name: String, one of `amp_keras.models.NAMES`.

    Returns:
        A function from `(input_shape, num_classes)` to a `keras.Model` that
        maps images to logits.

    Raises:
        ValueError: If there is no such network.
    """
    if name not in _BUILDERS:
        raise ValueError(
            f"`name` must be one of {', '.join(NAMES)}. Received: name={name}"
        )
    return _BUILDERS[name]
