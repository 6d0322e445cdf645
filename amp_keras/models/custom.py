"""Networks of one's own: a function in a file or in an importable module."""

import hashlib
import importlib
import importlib.util
import os
import pathlib
import sys
import traceback

import keras

from amp_keras.errors import NetworkError


class CustomNetwork:
    """The function that builds a network of one's own.

    Args:
        spec: String, `"FILE.py:FUNCTION"` or `"PACKAGE.MODULE:FUNCTION"`. The
            function takes `(input_shape, num_classes)` and returns a
            `keras.Model` from images to logits. A file is executed by itself,
            and `sys.path` stays as it is: it imports what is installed, and
            not what lies beside it.

    Attributes:
        spec: String, as given.
        path: Absolute path of the file, a string.
        sha256: String, the SHA-256 of the file's content.

    Raises:
        NetworkError: If there is no such file, module or function, or it
            cannot be executed.
    """

    def __init__(self, spec):
        self.spec = spec
        place, _, name = spec.rpartition(":")
        if not place or not name.isidentifier():
            raise NetworkError(
                "a network of one's own must be given as FILE.py:FUNCTION or "
                f"PACKAGE.MODULE:FUNCTION. Received: {spec}"
            )
        if place.endswith(".py"):
            module = self._execute(pathlib.Path(place).expanduser())
        else:
            module = self._import(place)
        self._function = getattr(module, name, None)
        if not callable(self._function):
            raise NetworkError(
                f"{self.path} has no function {name}. Received: {spec}"
            )

    def __call__(self, input_shape, num_classes):
        """Builds the network, and checks that it can be trained and saved.

        Args:
            input_shape: Tuple of ints `(height, width, channels)`.
            num_classes: Int, the number of outputs.

        Returns:
            A `keras.Model`.

        Raises:
            NetworkError: If the function raises, returns something else, or
                its model could not be loaded again once it is saved.
        """
        try:
            network = self._function(tuple(input_shape), num_classes)
            if not isinstance(network, keras.Model):
                raise NetworkError(
                    f"{self.spec} must return a keras.Model. "
                    f"Received: {network!r}"
                )
            outputs = network(keras.Input(input_shape))
        except NetworkError:
            raise
        except Exception as error:
            raise NetworkError(
                f"{self.spec} failed for input_shape={tuple(input_shape)}, "
                f"num_classes={num_classes}: {self._where(error)}"
            ) from error
        _check_logits(self.spec, network, outputs, num_classes)
        _check_can_be_loaded(self.spec, network)
        return network

    def _execute(self, path):
        self.path = os.path.abspath(path)
        try:
            if path.is_char_device():
                raise OSError(0, "it is a device")
            source = path.read_bytes()
        except OSError as error:
            raise NetworkError(
                f"{path} cannot be read ({error.strerror}). "
                f"Received: {self.spec}"
            ) from error
        self.sha256 = hashlib.sha256(source).hexdigest()
        spec = importlib.util.spec_from_file_location(
            f"amp_keras_network_{self.sha256[:16]}", self.path
        )
        module = importlib.util.module_from_spec(spec)
        # While it is executed only: dataclasses look their module up.
        sys.modules[spec.name] = module
        try:
            # What was hashed, and no __pycache__ beside somebody's file.
            code = spec.loader.source_to_code(source, self.path)
            exec(code, module.__dict__)
        except Exception as error:
            raise NetworkError(
                f"{path} cannot be executed: {self._where(error)}"
            ) from error
        finally:
            del sys.modules[spec.name]
        return module

    def _import(self, name):
        try:
            module = importlib.import_module(name)
        except Exception as error:
            raise NetworkError(
                f"the module {name} cannot be imported; a file is given as "
                f"FILE.py:FUNCTION ({error!r}). Received: {self.spec}"
            ) from error
        self.path = getattr(module, "__file__", None)
        if self.path is None:
            raise NetworkError(
                f"{name} is a folder and no module. Received: {self.spec}"
            )
        self.sha256 = hashlib.sha256(
            pathlib.Path(self.path).read_bytes()
        ).hexdigest()
        return module

    def _where(self, error):
        """The error in a line, with the last line of the file that it met."""
        frames = traceback.extract_tb(error.__traceback__)
        lines = [f.lineno for f in frames if f.filename == self.path]
        where = f" (line {lines[-1]} of {self.path})" if lines else ""
        text = " ".join(str(error).split())
        return f"{type(error).__name__}: {text}{where}"


def _check_logits(spec, network, outputs, num_classes):
    shape = getattr(outputs, "shape", None)
    if shape != (None, num_classes):
        raise NetworkError(
            f"{spec} must return a model with one output for each of "
            f"{num_classes} classes. Received: outputs of shape {shape}"
        )
    last = network.layers[-1] if network.layers else None
    if isinstance(last, keras.layers.Softmax) or (
        getattr(last, "activation", None) is keras.activations.softmax
    ):
        raise NetworkError(
            f"{spec} must return a model whose outputs are logits, without "
            f"softmax. Received: the last layer {last.name}"
        )


def _check_can_be_loaded(spec, network):
    """Classes and functions that are not Keras' own must be registered."""
    for layer in (network, *network._flatten_layers(include_self=False)):
        kind = type(layer)
        name = keras.saving.get_registered_name(kind)
        if (
            kind.__module__.partition(".")[0] != "keras"
            and keras.saving.get_registered_object(name) is not kind
        ):
            _raise_not_registered(spec, kind.__name__)
    try:
        config = keras.saving.serialize_keras_object(network)
        keras.saving.deserialize_keras_object(config)
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        _raise_not_registered(spec, f"{type(error).__name__}: {text}")


def _raise_not_registered(spec, received):
    raise NetworkError(
        f"{spec} uses what Keras could not load again from the saved network: "
        "put @keras.saving.register_keras_serializable() before each layer, "
        "model and function of your own, and give layers of your own a "
        f"get_config(). Received: {received}"
    )
