"""What the commands have in common: flags, and ending with one clear line."""

import difflib
import fractions
import functools
import inspect
import math
import pathlib
import sys

from absl import app
from absl import flags
from absl import logging

from amp_keras.batch_part import stride_of
from amp_keras.cli import help_text
from amp_keras.errors import AMPKerasError

# What shells and argparse use for a command line that cannot be carried out.
EXIT_CODE = 2
_FLAGS = "[--FLAG=VALUE ...]"
# No count is larger, of epochs, examples or steps.
_MOST = 1_000_000
_LARGEST_FLOAT32 = (2 - 2**-23) * 2.0**127
# That of paths on Linux.
_LONGEST_ARGUMENT = 4096


class _Name(flags.ArgumentParser):
    def __init__(self, names, others, accepts):
        self._names, self._others, self._accepts = names, others, accepts

    @property
    def syntactic_help(self):
        *first, last = (*self._names(), *self._others)
        separator = " or " if self._others else ", "
        return f"one of {', '.join(first)}{separator}{last}"

    def parse(self, argument):
        names = self._names()
        if argument in names or self._accepts(argument):
            return argument
        near = difflib.get_close_matches(argument, names, n=1, cutoff=0.5)
        advice = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"must be {self.syntactic_help}{advice}")


class _Boolean(flags.BooleanParser):
    def parse(self, argument):
        try:
            return super().parse(argument)
        except (TypeError, ValueError) as error:
            raise ValueError("must be true or false") from error


class _Integer(flags.IntegerParser):
    def convert(self, argument):
        try:
            value = super().convert(argument)
        except (TypeError, ValueError) as error:
            raise ValueError(f"must be {self.syntactic_help}") from error
        if self.upper_bound is None and value > _MOST:
            raise ValueError(f"must be {self.syntactic_help}, at most {_MOST}")
        return value


class _Float(flags.FloatParser):
    def __init__(self, lower_bound=None, upper_bound=None):
        super().__init__(lower_bound, upper_bound)
        if self.syntactic_help.startswith("number"):
            self.syntactic_help = f"a {self.syntactic_help}"

    def convert(self, argument):
        try:
            value = super().convert(argument)
        except (TypeError, ValueError):
            value = math.nan
        if not math.isfinite(value):
            raise ValueError(f"must be {self.syntactic_help}")
        if abs(value) > _LARGEST_FLOAT32:
            raise ValueError(f"must be {self.syntactic_help} that fits float32")
        return value


class _Fraction(flags.FloatParser):
    """One over an integer, written as a decimal or as 1/8."""

    syntactic_help = "1/s with an integer s, such as 1/8"

    def parse(self, argument):
        try:
            return 1 / stride_of(float(fractions.Fraction(argument)))
        except (ArithmeticError, TypeError, ValueError) as error:
            raise ValueError(f"must be {self.syntactic_help}") from error


def define_name(
    name, default, names, help, others=(), accepts=lambda argument: False
):
    """Defines a flag that takes one of several names.

    Args:
        name: String, the flag.
        default: String or `None`.
        names: The names, or a function that returns them.
        help: String.
        others: Strings, what else it takes, as a person reads it. Defaults to
            nothing.
        accepts: Function of the argument, whether it is one of the others.
    """
    names_now = names if callable(names) else lambda: names
    flags.DEFINE(_Name(names_now, others, accepts), name, default, help)


def define_bool(name, default, help):
    """Defines a flag that takes true or false."""
    flag = flags.BooleanFlag(name, default, help)
    flag.parser = _Boolean()
    flags.DEFINE_flag(flag)


def define_integer(name, default, help, lower_bound=None, upper_bound=None):
    """Defines a flag that takes an integer within the bounds."""
    flags.DEFINE(_Integer(lower_bound, upper_bound), name, default, help)


def define_float(name, default, help, lower_bound=None, upper_bound=None):
    """Defines a flag that takes a finite number within the bounds."""
    flags.DEFINE(_Float(lower_bound, upper_bound), name, default, help)


def define_fraction(name, default, help):
    """Defines a flag that takes one over an integer, such as 1/8."""
    flags.DEFINE(_Fraction(), name, default, help)


def run(main, argv=None, takes=None):
    """Parses the flags, calls `main()` and exits.

    Args:
        main: A function of what the command line has beside flags. An
            `AMPKerasError`, like a bad flag, ends the command with one line
            on stderr and exit code 2.
        argv: List of strings, the command line. Defaults to `None`:
            `sys.argv`.
        takes: String, what the command takes, as a person reads it. Defaults
            to `None`: it takes flags only.
    """

    def guarded(argv):
        if argv[1:] and not takes:
            fail(f"takes flags only. Received: {' '.join(argv[1:])}")
        logging.set_verbosity(logging.ERROR)
        try:
            main(*argv[1:])
        except AMPKerasError as error:
            fail(error)

    parser = functools.partial(parse, main, takes=takes or _FLAGS)
    app.run(guarded, argv, flags_parser=parser)


def fail(message):
    """Ends the command with one line on stderr and exit code 2."""
    command = pathlib.Path(sys.argv[0]).name
    print(f"{command}: {' '.join(str(message).split())}", file=sys.stderr)
    sys.exit(EXIT_CODE)


def parse(main, argv, takes=_FLAGS):
    """Parses the flags, or answers `--help`.

    Args:
        main: The function of the command; its module says what that does.
        argv: List of strings, the command line.
        takes: String, what the command takes, as a person reads it.

    Returns:
        List of strings, the command and what is no flag.
    """
    if help_text.is_asked_for(argv[1:]):
        about = inspect.getdoc(inspect.getmodule(main))
        command = pathlib.Path(argv[0]).name
        print(help_text.render(about, f"{command} {takes}"))
        sys.exit(0)
    _check_arguments(argv[1:])
    try:
        return flags.FLAGS(argv)
    except (flags.Error, ValueError, OSError, RecursionError) as error:
        # Flags of absl itself raise what they come upon.
        fail(error)


def _check_arguments(arguments):
    """Ends the command where an argument is more than a flag can hold."""
    for argument, following in zip(arguments, [*arguments[1:], ""]):
        if _has_surrogates(argument):
            fail(f"an argument must be UTF-8. Received: {argument!a}")
        if len(argument) > _LONGEST_ARGUMENT:
            fail(
                f"an argument must have at most {_LONGEST_ARGUMENT} "
                f"characters. Received: {argument[:40]}..., {len(argument)}"
            )
        name, is_given, path = argument.lstrip("-").partition("=")
        path = pathlib.Path(path if is_given else following)
        if argument.startswith("-") and name == "flagfile":
            if path.exists() and not path.is_file():
                fail(f"--flagfile must be a file. Received: {path}")


def _has_surrogates(text):
    """Whether it stands for bytes that are no UTF-8, as Python reads them."""
    return any("\ud800" <= letter <= "\udfff" for letter in text)
