"""The command that searches for epsilon: `tuning/search.py`."""

import contextlib
import sys

from absl import flags

from amp_keras import datasets
from amp_keras.cli import command_line
from amp_keras.cli import search_flags
from amp_keras.errors import AMPKerasError
from amp_keras.experiments import distribution
from amp_keras.search import chief_and_workers
from amp_keras.search import search
from amp_keras.search import trials
from amp_keras.search.directory import SearchDirectory

# The search ran, and no trial of it succeeded.
_NOTHING_SUCCEEDED = 1


def main():
    datasets.hide_gpus_from_tensorflow()
    options, config = search_flags.options_from_flags()
    values = flags.FLAGS
    role = chief_and_workers.initialize(values.chief, values.worker)
    devices = distribution.create(config.distribution)
    worker = role == chief_and_workers.WORKER
    if worker:
        chief_and_workers.wait_for_chief()
    with contextlib.closing(_open(options, config, worker)) as directory:
        if worker:
            search.work(directory, options, config, devices)
            return
        rows = _search(directory, options, config, devices)
        _print_results(rows, directory.path)


def _search(directory, options, config, devices):
    try:
        return search.search(
            directory, options, config, devices, flags.FLAGS.final
        )
    except AMPKerasError:
        if not directory.has_ended_trials:
            directory.discard()
        raise


def _open(options, config, worker):
    """Returns the folder of the search, which workers share."""
    values = flags.FLAGS
    return SearchDirectory(
        values.output_dir or search.default_path(options, config),
        search.settings(options, config),
        overwrite=values.overwrite and not worker,
        shared=worker,
    )


def _print_results(rows, path):
    if trials.best(rows) is None:
        print(
            f"search.py: no trial succeeded; see {path}",
            file=sys.stderr,
        )
        sys.exit(_NOTHING_SUCCEEDED)
    for name in ("trials.csv", "epsilon.png", "best.json", "final.csv"):
        if (path / name).exists():
            print(f"wrote {path / name}")


def run():
    """The command, from `sys.argv` to its exit code."""
    command_line.run(main)
