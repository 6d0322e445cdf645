"""The methods that a comparison compares: small named sets of flags."""

import dataclasses
import json
import pathlib

from amp_keras.experiments.defaults import resolved

_FOLDER = pathlib.Path(__file__).parent / "methods"
NAMES = tuple(sorted(file.stem for file in _FOLDER.glob("*.json")))


@dataclasses.dataclass(frozen=True, eq=False)
class Method:
    """What makes of the flags that all methods share those of one of them.

    Attributes:
        name: String, of which the folders of its runs are named.
        title: String, by which tables and plots call it.
        flags: Dict of fields of a `TrainingConfig`.
        stretch: Int, how many times as long it trains, learning rate schedule
            included.
    """

    name: str
    title: str
    flags: dict
    stretch: int = 1

    def config(self, shared, seed):
        """Returns the `TrainingConfig` of a run.

        Args:
            shared: The `TrainingConfig` that all methods share. Its
                `epsilon=None` and `learning_rate=None` stand for the defaults
                of each method.
            seed: Int.
        """
        config, _ = self._resolved(shared)
        config.seed = seed
        if self.stretch != 1:
            _stretch(config, self.stretch)
        return config

    def epsilon_origin(self, shared):
        """Returns where the epsilon of its runs comes from, a string."""
        return self._resolved(shared)[1]

    def _resolved(self, shared):
        return resolved(dataclasses.replace(shared, **self.flags))

    def with_flags(self, flags):
        """Returns the method with other values of some flags."""
        if not flags:
            return self
        pairs = [(name, _shown(value)) for name, value in flags.items()]
        values = ", ".join(f"{name}={value}" for name, value in pairs)
        suffix = "".join(f"-{name}-{value}" for name, value in pairs)
        return dataclasses.replace(
            self,
            name=self.name + suffix,
            title=f"{self.title}, {values}",
            flags={**self.flags, **flags},
        )

    def title_without(self, flag):
        """Returns the title without the value that a flag was given."""
        value = _shown(self.flags[flag]) if flag in self.flags else ""
        return self.title.replace(f", {flag}={value}", "")


def read(name):
    """Reads a method.

    Args:
        name: String, one of `NAMES`, or the path of a JSON file of that form.

    Returns:
        A `Method`.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is not the file of a method.
    """
    path = _FOLDER / f"{name}.json" if name in NAMES else pathlib.Path(name)
    if path.is_char_device():
        raise OSError("it is a device")
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not _is_method(content):
        raise ValueError(
            "it must hold an object with `title`, a string, `flags`, an "
            "object, and perhaps `stretch`, an integer >= 1"
        )
    return Method(name=path.stem, **content)


def _is_method(content):
    stretch = content.get("stretch", 1)
    return (
        {"title", "flags"} <= set(content) <= {"title", "flags", "stretch"}
        and isinstance(content["title"], str)
        and isinstance(content["flags"], dict)
        and type(stretch) is int
        and stretch >= 1
    )


def _stretch(config, factor):
    config.epochs *= factor
    config.warmup_epochs *= factor
    if config.milestones:
        epochs = [int(epoch) * factor for epoch in config.milestones.split(",")]
        config.milestones = ",".join(map(str, epochs))


def _shown(value):
    return f"{value:g}" if isinstance(value, float) else str(value)
