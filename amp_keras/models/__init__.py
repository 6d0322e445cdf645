"""Networks by name: functions from `input_shape, num_classes` to a model."""

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

_BUILDERS = {
    builder.__name__: builder
    for builder in (
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
            f"`name` must be one of {', '.join(NAMES)}. Received: name={name!r}"
        )
    return _BUILDERS[name]
