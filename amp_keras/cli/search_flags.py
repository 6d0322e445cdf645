"""The flags of a search, beside those of training."""

import difflib
import math

from absl import flags

from amp_keras.cli import command_line
from amp_keras.cli import help_text
from amp_keras.cli import training_flags
from amp_keras.errors import AMPKerasError
from amp_keras.experiments import optimizer
from amp_keras.experiments import perturbed_model
from amp_keras.search import space
from amp_keras.search.options import SearchOptions

TUNERS = ("random", "bayesian", "hyperband", "grid", "halving")
OBJECTIVES = ("val_loss", "val_accuracy")
_MAX_TRIALS = 12
_GIVES_NUMBER_OF_TRIALS = {"hyperband": "--epochs", "halving": "--epsilons"}

# What a search wants otherwise than a single run.
for _name, _default in (
    ("epochs", 20),
    ("validation_split", 0.2),
    ("verbose", 0),
):
    flags.FLAGS.set_default(_name, _default)

command_line.define_name(
    "tuner",
    "grid",
    TUNERS,
    "How values are chosen: all of a grid (grid), of a grid after a quarter "
    "and a half of --epochs the better half (halving), at random, by a "
    "Gaussian process, or by training many for few epochs and the best of "
    "them longer (hyperband).",
)
command_line.define_integer(
    "max_trials",
    None,
    "Trials, the baseline among them. Default: the whole grid; 12 for random "
    "and bayesian. Of hyperband the number follows from --epochs, of halving "
    "from the values.",
    lower_bound=2,
)
command_line.define_integer(
    "executions_per_trial",
    1,
    "Runs of each trial, with seeds --seed, --seed + 1, ... With halving of "
    "those that reach the end; the first seed chooses them.",
    lower_bound=1,
)
command_line.define_name(
    "objective",
    "val_loss",
    OBJECTIVES,
    "What trials are compared by: the validation set after the last epoch.",
)
flags.DEFINE_list(
    "search",
    ["epsilon"],
    f"What is searched: epsilon, and any of {', '.join(space.OTHERS)}.",
)
flags.DEFINE_list(
    "epsilons",
    None,
    "The radii to choose from; 0 is always among them. Default: values from a "
    "tenth to 25 times the default of --model, --norm and --inner_fraction.",
)
command_line.define_bool(
    "final",
    True,
    "At the end train the chosen configuration and the baseline on all "
    "training data, and evaluate both on the test set.",
)
flags.DEFINE_string(
    "output_dir",
    None,
    "Folder of the search; the same command goes on with what is in it. "
    "Default: runs/search-DATASET-MODEL-NORM-TUNER.",
)
command_line.define_bool(
    "overwrite", False, "Remove the search that is in the folder, and begin."
)
flags.DEFINE_string(
    "chief",
    None,
    "HOST:PORT of the process that hands out the trials of a search that "
    "several share. Without --worker this process is it.",
)
command_line.define_integer(
    "worker", None, "Number of this worker, which runs trials for --chief.", 0
)


help_text.theme(
    "The search",
    (
        "search",
        "epsilons",
        "tuner",
        "max_trials",
        "executions_per_trial",
        "objective",
        "final",
        "output_dir",
        "overwrite",
        "chief",
        "worker",
    ),
)


def options_from_flags():
    """Returns what the command line describes.

    Returns:
        A tuple: `SearchOptions` and the `TrainingConfig` of the baseline.

    Raises:
        AMPKerasError: If flags contradict each other.
    """
    values = flags.FLAGS
    config, _ = training_flags.config_from_flags()
    _check(values)
    perturbed_model.check(config)
    optimizer.check(config)
    config.epsilon = 0.0
    max_trials = values.max_trials
    if max_trials is None and values.tuner in ("random", "bayesian"):
        max_trials = _MAX_TRIALS
    options = SearchOptions(
        tuner=values.tuner,
        max_trials=max_trials,
        executions_per_trial=values.executions_per_trial,
        objective=values.objective,
        search=_searched(values.search),
        epsilons=_epsilons(values.epsilons),
    )
    return options, config


def _check(values):
    if values["epsilon"].present:
        raise AMPKerasError(
            "--epsilon is what the search chooses; --epsilons=VALUE,VALUE,... "
            f"says among which. Received: --epsilon={values.epsilon}"
        )
    if values.adapt_epsilon:
        raise AMPKerasError(
            "--adapt_epsilon sets what the search would choose: take "
            "apps/train.py. Received: --adapt_epsilon=true"
        )
    if values.validation_split == 0:
        raise AMPKerasError(
            "--validation_split must be greater than 0: trials are compared by "
            "it. Received: --validation_split=0"
        )
    given_by = _GIVES_NUMBER_OF_TRIALS.get(values.tuner)
    if given_by and values.max_trials is not None:
        raise AMPKerasError(
            f"--max_trials must not be given with --tuner={values.tuner}, "
            f"where the number of trials follows from {given_by}. "
            f"Received: --max_trials={values.max_trials}"
        )
    _check_ascends(values)


def _check_ascends(values):
    ascent = [n for n in perturbed_model.NEUTRAL_ASCENT if n in values.search]
    if ascent and values.perturbation == perturbed_model.RANDOM:
        raise AMPKerasError(
            f"--search must not have {ascent[0]} with --perturbation=random, "
            f"which has no ascent. Received: --search={','.join(values.search)}"
        )


def _searched(names):
    accepted = ("epsilon", *space.OTHERS)
    for name in names:
        if name not in accepted:
            near = difflib.get_close_matches(name, accepted, n=1)
            advice = f"; did you mean {near[0]}?" if near else ""
            raise AMPKerasError(
                f"--search must be of {', '.join(accepted)}{advice} "
                f"Received: --search={','.join(names)}"
            )
    return tuple(name for name in accepted if name in {"epsilon", *names})


def _epsilons(texts):
    if texts is None:
        return None
    try:
        values = sorted({0.0, *map(float, texts)})
    except ValueError:
        values = [math.nan]
    if not all(map(math.isfinite, values)) or len(values) < 2 or values[0] < 0:
        raise AMPKerasError(
            "--epsilons must be numbers >= 0 with commas between them, one of "
            f"them positive. Received: --epsilons={','.join(texts)}"
        )
    return tuple(values)
