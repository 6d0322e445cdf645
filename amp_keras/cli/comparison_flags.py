"""The flags of a comparison, beside those of training."""

import dataclasses
import itertools

from absl import flags

from amp_keras.cli import command_line
from amp_keras.cli import help_text
from amp_keras.cli import output_flags  # noqa: F401
from amp_keras.cli import training_flags
from amp_keras.comparison import method as methods
from amp_keras.comparison import tuning
from amp_keras.errors import AMPKerasError
from amp_keras.experiments import optimizer
from amp_keras.experiments import perturbed_model
from amp_keras.experiments.config import TrainingConfig

flags.DEFINE_list(
    "methods",
    None,
    "What to compare: the first one is what the others are compared with. Of "
    f"{', '.join(methods.NAMES)}, or a JSON file like theirs; each with other "
    "values of flags if wanted, as in amp:epsilon=1:inner_iters=2. Of several "
    "numbers, as in 'amp:epsilon=0.5|1|2', the one that is best on the "
    "validation data with the first seed is taken for all seeds.",
)
command_line.define_integer(
    "seeds",
    3,
    "Runs of each method, with seeds --seed, --seed + 1, ...",
    lower_bound=1,
    upper_bound=1000,
)
command_line.define_name(
    "tune_by",
    "val_loss",
    tuning.OBJECTIVES,
    "What chooses among several numbers of a method: the cross-entropy or the "
    "accuracy on the validation data.",
)
command_line.define_bool(
    "print_commands",
    False,
    "Train nothing: print the commands of the runs that are missing, for "
    "several machines.",
)

help_text.theme(
    "The comparison",
    (
        "methods",
        "seeds",
        "tune_by",
        "output_dir",
        "overwrite",
        "print_commands",
    ),
)

_NUMBERS = (flags.FloatParser, flags.IntegerParser)
_FIELDS = {field.name for field in dataclasses.fields(TrainingConfig)}


def methods_from_flags(shared):
    """Returns the methods that the command line names, a list of `Tuned`.

    Args:
        shared: The `TrainingConfig` that they share.

    Raises:
        AMPKerasError: If there is no such method, it has no such flag, its
            flags contradict each other, or there is no validation data to
            choose its values by.
    """
    tuned = [_tuned(text) for text in flags.FLAGS.methods]
    candidates = [method for each in tuned for method in each.candidates]
    names = [method.name for method in candidates]
    if not names or len(set(names)) < len(names):
        raise AMPKerasError(
            "--methods must be names with commas between them, each once. "
            f"Received: --methods={','.join(flags.FLAGS.methods)}"
        )
    for method in candidates:
        config = method.config(shared, shared.seed)
        perturbed_model.check(config)
        optimizer.check(config)
    for each in tuned:
        _check_validation(each, shared)
    return tuned


def shared_config():
    """Returns the `TrainingConfig` that all methods share.

    Its epsilon and its learning rate are `None` and its `verbose` 0 unless
    they are given.
    """
    config, _ = training_flags.config_from_flags(resolve=False)
    if flags.FLAGS["verbose"].using_default_value:
        config.verbose = 0
    return config


def command_of(config, path):
    """Returns the arguments of `apps/train.py` for a run."""
    default = TrainingConfig()
    values = {
        name: value
        for name, value in dataclasses.asdict(config).items()
        if value != getattr(default, name)
    }
    return [
        *(f"--{name}={_shown(value)}" for name, value in values.items()),
        f"--output_dir={path}",
    ]


def _check_validation(tuned, shared):
    configs = [m.config(shared, shared.seed) for m in tuned.candidates]
    if tuned.trials and not all(c.validation_split for c in configs):
        raise AMPKerasError(
            "--validation_split must be greater than 0 where a method has "
            "several values: they are chosen by it. Received: "
            f"--validation_split=0, {tuned.trials} values of {tuned.title!r}"
        )


def _tuned(text):
    name, *settings = text.split(":")
    try:
        method = methods.read(name)
    except (OSError, ValueError, RecursionError) as error:
        raise AMPKerasError(
            f"--methods must be of {', '.join(methods.NAMES)}, or JSON files "
            f"like theirs. Received: {name!r} ({error})"
        ) from error
    method = dataclasses.replace(
        method, flags={k: _value(k, v, name) for k, v in method.flags.items()}
    )
    pairs = [setting.partition("=")[::2] for setting in settings]
    values = {flag: _values(flag, text, name) for flag, text in pairs}
    fixed = {flag: v[0] for flag, v in values.items() if len(v) == 1}
    candidates = [
        method.with_flags(dict(zip(values, combination)))
        for combination in itertools.product(*values.values())
    ]
    return tuning.Tuned(method.with_flags(fixed).title, candidates)


def _values(flag, text, method):
    """Returns the values of a flag, of which only numbers can be several."""
    _check_flag(flag, method)
    is_number = isinstance(flags.FLAGS[flag].parser, _NUMBERS)
    texts = text.split("|") if is_number else [text]
    return [_value(flag, each, method) for each in texts]


def _check_flag(flag, method):
    if flag not in _FIELDS - {"seed"}:
        raise AMPKerasError(
            "what a method sets must be flags of training other than --seed. "
            f"Received: {flag} in the method {method!r}"
        )


def _value(flag, value, method):
    _check_flag(flag, method)
    try:
        return flags.FLAGS[flag].parser.parse(value)
    except (TypeError, ValueError) as error:
        raise AMPKerasError(
            f"--{flag} of the method {method!r}: {error}. Received: {value!r}"
        ) from error


def _shown(value):
    return str(value).lower() if isinstance(value, bool) else value
