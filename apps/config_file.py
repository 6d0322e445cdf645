"""`--config=FILE`: a JSON file whose values are the defaults of flags."""

import difflib
import json
import pathlib

from absl import flags

_KINDS = {
    "int": (int, "an integer"),
    "float": ((int, float), "a number"),
    "bool": (bool, "true or false"),
    "string": (str, "a string"),
}


class ConfigError(Exception):
    """The file of --config cannot be used; the message says why."""


def set_defaults(path, names):
    """Makes the values of a file the defaults of flags.

    A flag that the command line gives keeps the value given there.

    Args:
        path: String, a file with a JSON object.
        names: The names of the flags that it may have.

    Raises:
        ConfigError: If it cannot be read, or has an unknown key or a value
            that the flag does not take.
    """
    for name, value in _read(path).items():
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            advice = f"did you mean {near[0]}?" if near else ", ".join(names)
            raise ConfigError(
                f"--config={path}: keys must be names of the flags of training"
                f"; {advice} Received: {name}"
            )
        _set_default(path, name, value)


def _read(path):
    try:
        content = json.loads(pathlib.Path(path).read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"--config must be a JSON file. Received: --config={path} ({error})"
        ) from error
    if not isinstance(content, dict):
        raise ConfigError(
            "--config must be a JSON file that holds an object. "
            f"Received: --config={path}"
        )
    return content


def _set_default(path, name, value):
    flag = flags.FLAGS[name]
    types, accepted = _KINDS[flag.flag_type()]
    is_bool = isinstance(value, bool)
    if value is None and flag.default is None:
        return
    if not isinstance(value, types) or is_bool != (types is bool):
        raise ConfigError(
            f"--config={path}: {name} must be {accepted}. "
            f"Received: {json.dumps(value)}"
        )
    try:
        flags.FLAGS.set_default(name, value)
    except flags.Error as error:
        raise ConfigError(f"--config={path}: {error}") from error
