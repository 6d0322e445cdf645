"""The answer to `--help`: all flags of a command, by theme."""

import textwrap

from absl import flags

NAMES = ("--help", "-help", "-h", "--helpshort", "--helpfull", "-?")

_WIDTH = 80
_themes = {}


def theme(title, names):
    """Says what some flags are about.

    Args:
        title: String.
        names: Strings, the flags in the order in which they are listed.
    """
    _themes[title] = tuple(names)


def is_asked_for(arguments):
    """Whether a command line, without the command, asks for help."""
    given = (
        arguments[: arguments.index("--")] if "--" in arguments else arguments
    )
    return any(argument in NAMES for argument in given)


def render(about, usage):
    """Returns what a command does and its flags.

    Args:
        about: String, a sentence or more.
        usage: String, the command and what it takes.
    """
    lines = [*textwrap.wrap(about, _WIDTH), "", f"Usage: {usage}"]
    for title, names in (*_themes.items(), ("Other", _without_theme())):
        if names:
            lines += ["", title]
        for name in names:
            lines += _of_flag(flags.FLAGS[name])
    return "\n".join(lines)


def _without_theme():
    known = {name for names in _themes.values() for name in names}
    return [
        flag.name
        for module, own in flags.FLAGS.flags_by_module_dict().items()
        if module.startswith("amp_keras.")
        for flag in own
        if flag.name not in known
    ]


def _of_flag(flag):
    accepted = flag.parser.syntactic_help
    if flag.boolean:
        accepted = "true or false"
    sentence = flag.help if flag.help.endswith(".") else f"{flag.help}."
    if accepted:
        sentence += f" {accepted[0].upper()}{accepted[1:]}."
    default = "" if flag.default is None else f"={_shown(flag.default)}"
    return [
        f"  --{flag.name}{default}",
        *textwrap.wrap(
            sentence, _WIDTH, initial_indent=6 * " ", subsequent_indent=6 * " "
        ),
    ]


def _shown(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return ",".join(value) if isinstance(value, list) else value
