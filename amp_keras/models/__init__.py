"""Networks by name: functions from `input_shape, num_classes` to a model."""

from amp_keras.models.custom import CustomNetwork
from amp_keras.models.mlp import mlp
from amp_keras.models.preact_resnet import preactresnet18
from amp_keras.models.preact_resnet import preactresnet34
from amp_keras.models.preact_resnet import preactresnet50
from amp_keras.models.preact_resnet import preactresnet101
from amp_keras.models.preact_resnet import preactresnet152
from amp_keras.models.pyramidnet import pyramidnet110_48
from amp_keras.models.pyramidnet import pyramidnet110_84
from amp_keras.models.pyramidnet import pyramidnet110_270
from amp_keras.models.pyramidnet import pyramidnet164_48
from amp_keras.models.pyramidnet import pyramidnet164_270
from amp_keras.models.resnet import resnet8
from amp_keras.models.resnet import resnet20
from amp_keras.models.resnet import resnet32
from amp_keras.models.resnet import resnet44
from amp_keras.models.resnet import resnet56
from amp_keras.models.resnet import resnet110
from amp_keras.models.vgg import vgg11
from amp_keras.models.vgg import vgg13
from amp_keras.models.vgg import vgg16
from amp_keras.models.vgg import vgg19
from amp_keras.models.wide_resnet import wrn28_2
from amp_keras.models.wide_resnet import wrn28_10

__all__ = ["CustomNetwork", "get", "names", "register"]

_BUILDERS = {
    builder.__name__: builder
    for builder in (
        mlp,
        resnet8,
        resnet20,
        resnet32,
        resnet44,
        resnet56,
        resnet110,
        preactresnet18,
        preactresnet34,
        preactresnet50,
        preactresnet101,
        preactresnet152,
        vgg11,
        vgg13,
        vgg16,
        vgg19,
        wrn28_2,
        wrn28_10,
        pyramidnet110_48,
        pyramidnet110_84,
        pyramidnet110_270,
        pyramidnet164_48,
        pyramidnet164_270,
    )
}


def names():
    """Returns the names of the registered networks, a tuple of strings."""
    return tuple(_BUILDERS)


def register(name, builder, override=False):
    """Makes a network known by a name, to `get` and to the commands.

    Example:

    ```python
    def mine(input_shape, num_classes):
        return keras.Sequential([
            keras.Input(input_shape),
            keras.layers.Flatten(),
            keras.layers.Dense(num_classes),
        ])

    amp_keras.models.register("mine", mine)
    ```

    Args:
        name: String without a colon.
        builder: Function from `(input_shape, num_classes)` to a `keras.Model`
            that maps images to logits.
        override: Bool, whether it may take the place of another network.
            Defaults to `False`.

    Returns:
        The builder that had the name before, or `None`.

    Raises:
        ValueError: If the name is no such string, or taken.
    """
    if not isinstance(name, str) or not name or ":" in name:
        raise ValueError(
            f"`name` must be a string without a colon. Received: name={name!r}"
        )
    if name in _BUILDERS and not override:
        raise ValueError(
            "`name` must not be taken unless `override=True`. "
            f"Received: name={name!r}"
        )
    before = _BUILDERS.get(name)
    _BUILDERS[name] = builder
    return before


def get(name):
    """Returns the function that builds a network.

    Args:
        name: String, one of `amp_keras.models.names()`, or that of a network
            of one's own: `"FILE.py:FUNCTION"` or `"PACKAGE.MODULE:FUNCTION"`.

    Returns:
        A function from `(input_shape, num_classes)` to a `keras.Model` that
        maps images to logits. That of one's own is a `CustomNetwork`.

    Raises:
        ValueError: If there is no such network.
        NetworkError: If there is no such function in the file or module.
    """
    if ":" in name:
        return CustomNetwork(name)
    if name not in _BUILDERS:
        raise ValueError(
            f"`name` must be one of {', '.join(names())}, FILE.py:FUNCTION or "
            f"PACKAGE.MODULE:FUNCTION. Received: name={name!r}"
        )
    return _BUILDERS[name]
