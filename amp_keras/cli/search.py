"""The command that searches for epsilon: `tuning/search.py`."""

import contextlib
import dataclasses
import sys

from absl import flags

from amp_keras import datasets
from amp_keras.cli import command_line
from amp_keras.cli import search_flags
from amp_keras.cli.config_file import ConfigError
from amp_keras.experiments import distribution
from amp_keras.experiments import input_pipeline
from amp_keras.experiments import network_file
from amp_keras.experiments import run_name
from amp_keras.experiments.config import TrainingError
from amp_keras.experiments.distribution import DistributionError
from amp_keras.experiments.output_directory import OutputError
from amp_keras.search import chief_and_workers
from amp_keras.search import final_runs
from amp_keras.search import oracle
from amp_keras.search import summary
from amp_keras.search import trials
from amp_keras.search.directory import SearchDirectory
from amp_keras.search.error import SearchError
from amp_keras.search.progress import SearchProgress
from amp_keras.search.space import SearchSpace
from amp_keras.search.tuner import SearchTuner

ERRORS = (
    ConfigError,
    DistributionError,
    OutputError,
    SearchError,
    TrainingError,
)

# The search ran, and no trial of it succeeded.
_NOTHING_SUCCEEDED = 1


class Search:
    """A search, from its folder to its results.

    Args:
        options: `SearchOptions`.
        config: `TrainingConfig` of the baseline.
        directory: `SearchDirectory`.
        devices: What `distribution.create` returned.
    """

    def __init__(self, options, config, directory, devices):
        self._options = options
        self._config = config
        self._directory = directory
        self._devices = devices
        self._progress = SearchProgress(
            directory.write_trials, options.objective, config.epochs
        )
        data = input_pipeline.load_data(config, devices)
        input_pipeline.print_labels(config, data)
        self._space = SearchSpace(options, config, data)
        self._oracle = oracle.create(options, config, self._progress)
        with self._reading():
            self._tuner = SearchTuner(
                self._oracle,
                self._space,
                directory,
                options.executions_per_trial,
                devices,
            )
        self._progress.num_trials = oracle.num_trials(self._oracle)

    def reload(self):
        """Takes up what an earlier command has done."""
        if self._directory.oracle_file.exists():
            with self._reading():
                self._oracle.reload()
            self._progress.resume(self._oracle)

    @contextlib.contextmanager
    def _reading(self):
        """Turns whatever keras-tuner makes of JSON that is not its own."""
        try:
            yield
        except (AttributeError, KeyError, RuntimeError, TypeError) as error:
            raise SearchError(
                f"{self._directory.keras_tuner} cannot be read ({error!r}): "
                "put back the files that were there, or begin anew with "
                "--overwrite"
            ) from error

    def run(self):
        """Runs the trials, or as the chief hands them out."""
        self._tuner.search()

    def rows(self):
        return trials.rows(
            self._oracle, self._options.objective, self._config.epochs
        )

    def config_of(self, row):
        """Returns the `TrainingConfig` of a row, on all training data."""
        hp = self._oracle.trials[row["trial"]].hyperparameters
        return dataclasses.replace(self._space.config(hp), validation_split=0.0)


def report(search, directory, options, title):
    """Writes and prints the trials.

    Returns:
        The rows of the trials, the best first.
    """
    rows = search.rows()
    directory.write_trials(rows)
    if trials.best(rows):
        directory.write_picture(rows, title)
    print(trials.table(rows))
    failed = [r["trial"] for r in rows if r["status"] == trials.FAILED]
    if failed:
        print(
            f"{len(failed)} of {len(rows)} trials failed; the first error: "
            f"{directory.first_error(sorted(failed))}",
            file=sys.stderr,
        )
    return rows


def finish(search, directory, options, devices, rows):
    """Writes `best.json` and, unless told not to, measures on the test set."""
    chosen, baseline = trials.best(rows), trials.baseline(rows)
    config = search.config_of(chosen)
    best = dataclasses.asdict(config)
    del best["verbose"]
    directory.write_best(best)
    print(summary.judge(rows, options.objective))
    if not flags.FLAGS.final:
        return
    configs = {"chosen": config}
    if baseline is chosen:
        configs = {}
    if baseline is not None:
        configs["baseline"] = search.config_of(baseline)
    seeds = range(config.seed, config.seed + options.executions_per_trial)
    for line in final_runs.summary(
        final_runs.run(directory, configs, seeds, devices)
    ):
        print(line)


def main():
    datasets.hide_gpus_from_tensorflow()
    options, config = search_flags.options_from_flags()
    values = flags.FLAGS
    role = chief_and_workers.join(values.chief, values.worker)
    devices = distribution.create(config.distribution)
    path = values.output_dir or (
        f"runs/search-{run_name.of_data(config)}-"
        f"{run_name.of_network(config)}-{config.norm}-"
        f"{options.tuner}"
    )
    if role == chief_and_workers.WORKER:
        chief_and_workers.wait_for_chief()
    settings = {
        **dataclasses.asdict(config),
        **network_file.facts(config),
        **dataclasses.asdict(options),
    }
    del settings["epsilon"]
    directory = SearchDirectory(
        path,
        settings,
        overwrite=values.overwrite and role != chief_and_workers.WORKER,
        shared=role == chief_and_workers.WORKER,
    )
    try:
        _search(directory, options, config, devices, role)
    finally:
        directory.close()


def _search(directory, options, config, devices, role):
    directory.write_config()
    if role != chief_and_workers.WORKER:
        directory.check()
    search = Search(options, config, directory, devices)
    if role == chief_and_workers.WORKER:
        search.run()
        return
    search.reload()
    search.run()
    title = (
        f"{run_name.of_network(config)} on {run_name.of_data(config)}, "
        f"{config.epochs} epochs"
    )
    rows = report(search, directory, options, title)
    if trials.best(rows) is None:
        print(
            f"search.py: no trial succeeded; see {directory.path}",
            file=sys.stderr,
        )
        sys.exit(_NOTHING_SUCCEEDED)
    finish(search, directory, options, devices, rows)
    for name in ("trials.csv", "epsilon.png", "best.json", "final.csv"):
        if (directory.path / name).exists():
            print(f"wrote {directory.path / name}")


def run():
    """The command, from `sys.argv` to its exit code."""
    command_line.run(main, ERRORS)
