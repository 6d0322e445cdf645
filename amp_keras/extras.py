"""A missing dependency, said in one line that names the extra which has it."""

import contextlib
import importlib.util

_BACKENDS = ("tensorflow", "jax", "torch")


@contextlib.contextmanager
def named(user, extra):
    """Within it, the error of a missing module names the extra to install.

    Args:
        user: String, what needs the module.
        extra: String, as in `pip install "amp-keras[EXTRA]"`.

    Raises:
        ModuleNotFoundError: If a module is missing, with its `name`.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "amp_keras").partition(".")[0]
        if package == "amp_keras":
            raise
        raise ModuleNotFoundError(
            f"{user} needs {package}, which is not installed: "
            f'pip install "amp-keras[{extra}]"',
            name=error.name,
        ) from None


@contextlib.contextmanager
def backend_named():
    """Within it, the error of a missing backend tells how to have one.

    Keras takes TensorFlow unless it is told otherwise.

    Raises:
        ModuleNotFoundError: If the backend is missing, with its `name`.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in _BACKENDS:
            raise
        raise ModuleNotFoundError(
            f"The backend of Keras is {error.name}, which is not installed: "
            f"{_ways_out(error.name)}",
            name=error.name,
        ) from None


def _ways_out(backend):
    installed = [
        f"set the environment variable KERAS_BACKEND={name}, or "
        for name in _BACKENDS
        if name != backend and importlib.util.find_spec(name)
    ]
    return f'{"".join(installed)}pip install "amp-keras[{backend}]"'
