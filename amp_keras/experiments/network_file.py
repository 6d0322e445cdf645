"""The network of a run, which may come from a file."""

import contextlib

from amp_keras import models
from amp_keras.errors import NetworkError


def build(config, data):
    """Builds the network, registered or one's own.

    Raises:
        NetworkError: If there is no such function, or it fails.
    """
    with _errors():
        return models.get(config.model)(data.image_shape, data.num_classes)


def facts(config):
    """Returns what the configuration of a run has of the file.

    Returns:
        A dict: `model_path` and `model_sha256`, both `None` for a network
        that is registered.

    Raises:
        NetworkError: If there is no such file, or function in it.
    """
    with _errors():
        function = models.get(config.model)
    return {
        f"model_{name}": getattr(function, name, None)
        if isinstance(function, models.CustomNetwork)
        else None
        for name in ("path", "sha256")
    }


@contextlib.contextmanager
def _errors():
    try:
        yield
    except NetworkError as error:
        raise NetworkError(f"--model: {error}") from error
