"""JSON files that a person or a killed process may have damaged."""

import json
import pathlib

from amp_keras.errors import AMPKerasError


def read_object(path, kinds=None):
    """Reads a JSON object.

    Args:
        path: Path of the file.
        kinds: Dict of the types, or tuples of types, that the values of some
            keys must have. Defaults to `None`: any keys and values.

    Returns:
        A dict, or `None` if there is no such file.

    Raises:
        AMPKerasError: If the file holds anything else.
    """
    try:
        content = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise AMPKerasError(f"{path} {_fault(path, error)}") from error
    if not isinstance(content, dict):
        raise AMPKerasError(f"{path} holds no JSON object")
    for key, kind in (kinds or {}).items():
        if not isinstance(content.get(key), kind):
            raise AMPKerasError(f"{path} has no `{key}`, or a wrong one")
    return content


def _fault(path, error):
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror})"
    if path.stat().st_size == 0:
        return "is empty"
    if isinstance(error, json.JSONDecodeError):
        return f"is not JSON ({error})"
    return f"is not JSON ({type(error).__name__})"
