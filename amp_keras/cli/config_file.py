"""Files whose values are the defaults of flags: `--recipe`, `--config`."""

import difflib
import json
import pathlib

from absl import flags

from amp_keras.errors import AMPKerasError

_FOLDER = pathlib.Path(__file__).parent / "recipes"
# What `config.json` of a run has beside flags.
_OF_A_RUN = {"backend", "command", "versions"}
RECIPES = tuple(sorted(file.stem for file in _FOLDER.glob("*.json")))

_KINDS = {
    "int": (int, "an integer"),
    "float": ((int, float), "a number"),
    "bool": (bool, "true or false"),
    "string": (str, "a string"),
}


def set_defaults(recipe, path, names):
    """Makes the values of a recipe and of a file the defaults of flags.

    It prints what the recipe decides.

    The file counts more than the recipe, and a flag that the command line
    gives keeps the value given there.

    Args:
        recipe: String, one of `RECIPES`, or `None`.
        path: String, a file with a JSON object, or `None`.
        names: The names of the flags that the file may have.

    Raises:
        AMPKerasError: If it cannot be read, or has an unknown key or a value
            that the flag does not take.
    """
    values = {} if path is None else _flags_of(_read(path), names)
    _check_names(path, values, names)
    for name, value in _of_recipe(recipe, values).items():
        _set_default(f"--recipe={recipe}", name, value)
    if recipe:
        _print_recipe(recipe, values)
    for name, value in values.items():
        _set_default(f"--config={path}", name, value)


def _print_recipe(recipe, values):
    """Says what a recipe decides, and nothing else does."""
    decided = [
        f"{name}={value}"
        for name, value in _of_recipe(recipe, values).items()
        if flags.FLAGS[name].using_default_value and name not in values
    ]
    print(f"--recipe={recipe}: {', '.join(decided)}")


def _of_recipe(recipe, values):
    if recipe is None:
        return {}
    content = json.loads((_FOLDER / f"{recipe}.json").read_text())
    model = flags.FLAGS["model"]
    name = model.value
    if model.using_default_value:
        name = values.get("model", name)
    return {**content["flags"], **content["by_model"].get(name, {})}


def _check_names(path, values, names):
    for name in values:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            advice = f"did you mean {near[0]}?" if near else ", ".join(names)
            raise AMPKerasError(
                f"--config={path}: keys must be names of the flags of training"
                f"; {advice} Received: {name}"
            )


def _read(path):
    try:
        if pathlib.Path(path).is_char_device():
            raise OSError("it is a device")
        content = json.loads(pathlib.Path(path).read_text())
    except (OSError, RecursionError, ValueError) as error:
        raise AMPKerasError(
            f"--config must be a JSON file. Received: --config={path} ({error})"
        ) from error
    if not isinstance(content, dict):
        raise AMPKerasError(
            "--config must be a JSON file that holds an object. "
            f"Received: --config={path}"
        )
    return content


def _flags_of(content, names):
    """Leaves out the facts, if it is the `config.json` of a run."""
    if not _OF_A_RUN <= content.keys():
        return content
    return {name: content[name] for name in names if name in content}


def _set_default(origin, name, value):
    flag = flags.FLAGS[name]
    types, accepted = _KINDS[flag.flag_type()]
    is_bool = isinstance(value, bool)
    if value is None and flag.default is None:
        return
    if not isinstance(value, types) or is_bool != (types is bool):
        raise AMPKerasError(
            f"{origin}: {name} must be {accepted}. "
            f"Received: {json.dumps(value)}"
        )
    try:
        flags.FLAGS.set_default(name, value)
    except flags.Error as error:
        raise AMPKerasError(f"{origin}: {error}") from error
