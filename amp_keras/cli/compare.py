"""The command that compares methods, or finished runs: `apps/compare.py`.

With --methods it trains what is missing, each method with the same seeds, and
leaves tables and plots; with folders of finished runs it prints their metrics
side by side.
"""

import sys

from absl import flags

from amp_keras import datasets
from amp_keras.cli import command_line
from amp_keras.cli import comparison_flags
from amp_keras.cli.interruption import Interruption
from amp_keras.comparison import comparison
from amp_keras.comparison import run_table
from amp_keras.comparison import runs as comparison_runs
from amp_keras.comparison import tuning
from amp_keras.comparison.directory import ComparisonDirectory
from amp_keras.errors import AMPKerasError
from amp_keras.experiments import command
from amp_keras.experiments import distribution
from amp_keras.experiments.checkpoint_callback import Interrupted

# Some of the runs could not be trained.
_INCOMPLETE = 1


def main(*folders):
    if bool(folders) == (flags.FLAGS.methods is not None):
        raise AMPKerasError(
            "give either methods to train and compare, as --methods=erm,amp, "
            "or the folders of finished runs, as runs/*"
        )
    if folders:
        print(run_table.table(folders))
    else:
        _compare_methods()


def _compare_methods():
    datasets.hide_gpus_from_tensorflow()
    shared = comparison_flags.shared_config()
    tuned = comparison_flags.methods_from_flags(shared)
    devices = distribution.create(shared.distribution)
    directory = _open(shared)
    seeds = range(shared.seed, shared.seed + flags.FLAGS.seeds)
    if flags.FLAGS.print_commands:
        _print_commands(tuned, seeds, shared, directory)
        return
    missing = _compare(directory, tuned, seeds, shared, devices)
    if missing:
        total = len(tuned) * len(seeds)
        print(f"{missing} of {total} runs are missing", file=sys.stderr)
        sys.exit(_INCOMPLETE)
    for name in directory.written:
        if (directory.path / name).exists():
            print(f"wrote {directory.path / name}")


def _open(shared):
    settings = comparison.settings(shared)
    path = flags.FLAGS.output_dir or ComparisonDirectory.first_free(
        comparison.default_path(shared), settings
    )
    directory = ComparisonDirectory(
        path, settings, overwrite=flags.FLAGS.overwrite, shared=True
    )
    directory.write_config()
    return directory


def _print_commands(tuned, seeds, shared, directory):
    """Prints what is missing: first what chooses, then what is chosen."""
    trials = tuning.runs(tuned, seeds[0], shared, directory.runs)
    found = comparison_runs.finished(trials)
    choices = tuning.choose(tuned, found, flags.FLAGS.tune_by)
    _print_missing(trials, found)
    methods = [choice.method for choice in choices if choice.method]
    runs = comparison_runs.paired(methods, seeds, shared, directory.runs)
    _print_missing(runs, comparison_runs.finished(runs))
    if len(methods) < len(choices):
        print(
            "some of these choose values: give the command again when they "
            "have finished, for the runs of what is chosen",
            file=sys.stderr,
        )


def _print_missing(runs, found):
    for run in runs:
        if run not in found:
            arguments = comparison_flags.command_of(run.config, run.path)
            print(command.of("apps/train.py", *arguments))


def _compare(directory, tuned, seeds, shared, devices):
    """Returns how many runs are missing."""
    objective = flags.FLAGS.tune_by
    with Interruption() as interruption:
        try:
            rest = (shared, devices, objective, interruption.came)
            choices = comparison.tune(directory, tuned, seeds[0], *rest)
            missing = comparison.compare(directory, choices, seeds, *rest)
        except Interrupted:
            interruption.end()
    undecided = sum(choice.method is None for choice in choices)
    return len(missing) + undecided * len(seeds)


def run():
    """The command, from `sys.argv` to its exit code."""
    command_line.run(main, takes="[FOLDER ...] [--FLAG=VALUE ...]")
