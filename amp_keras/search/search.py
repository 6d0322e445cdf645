"""A search, from its options to its folder."""

import contextlib
import dataclasses
import functools
import sys

import keras_tuner

from amp_keras.errors import AMPKerasError
from amp_keras.experiments import input_pipeline
from amp_keras.experiments import network_file
from amp_keras.experiments import run_name
from amp_keras.search import cost
from amp_keras.search import final_runs
from amp_keras.search import oracle
from amp_keras.search import summary
from amp_keras.search import trials
from amp_keras.search.progress import SearchProgress
from amp_keras.search.space import SearchSpace
from amp_keras.search.tuner import SearchTuner


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
        self._load = functools.cache(self._load_data)
        input_pipeline.print_labels(config, self._load(config.seed))
        self._space = SearchSpace(options, config)
        self._oracle = oracle.create(options, self._space, self._progress)
        with self._reading():
            self._tuner = SearchTuner(
                self._oracle,
                self._space,
                directory,
                options.executions_per_trial,
                devices,
                self._load,
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
            raise AMPKerasError(
                f"{self._directory.keras_tuner} cannot be read ({error!r}): "
                "put back the files that were there, or begin anew with "
                "--overwrite"
            ) from error

    def run(self):
        """Runs the trials, or as the chief hands them out.

        Raises:
            AMPKerasError: If no network can be had for any trial.
        """
        try:
            self._tuner.search()
        except keras_tuner.errors.FatalError as error:
            raise AMPKerasError(str(error)) from error

    def _load_data(self, seed):
        config = dataclasses.replace(self._config, seed=seed)
        return input_pipeline.load_data(config, self._devices)

    def rows(self):
        return trials.rows(
            self._oracle, self._options.objective, self._config.epochs
        )

    def cost(self):
        """Returns what the trials cost, in a sentence."""
        return cost.sentence(self._oracle, self._space, self._options)

    def config_of(self, row):
        """Returns the `TrainingConfig` of a row, on all training data."""
        hp = self._oracle.trials[row["trial"]].hyperparameters
        return dataclasses.replace(self._space.config(hp), validation_split=0.0)


def search(directory, options, config, devices, final=True):
    """Runs the trials that are left, and writes and prints their results.

    Args:
        directory: An open `SearchDirectory`.
        options: `SearchOptions`.
        config: `TrainingConfig` of the baseline.
        devices: What `distribution.create` returned.
        final: Bool, whether to train the chosen configuration and the
            baseline on all training data and evaluate them on the test set.
            Defaults to `True`.

    Returns:
        The rows of `trials.rows`, the best first.

    Raises:
        AMPKerasError: If the folder cannot be gone on with or be written,
            what keras-tuner left there cannot be read, or the network cannot
            be built.
    """
    directory.write_config()
    directory.check()
    tuned = Search(options, config, directory, devices)
    tuned.reload()
    tuned.run()
    rows = _report(tuned, directory, _title(config))
    if trials.best(rows):
        _finish(tuned, directory, options, devices, rows, final)
    return rows


def work(directory, options, config, devices):
    """Runs the trials that the chief hands out; arguments as in `search`."""
    directory.write_config()
    Search(options, config, directory, devices).run()


def settings(options, config):
    """Returns what a `SearchDirectory` compares, a dict."""
    values = {
        **dataclasses.asdict(config),
        **network_file.facts(config),
        **dataclasses.asdict(options),
    }
    del values["epsilon"]
    return values


def default_path(options, config):
    """Returns the folder of a search for which none is named."""
    return (
        f"runs/search-{run_name.of_data(config)}-"
        f"{run_name.of_network(config)}-{config.norm}-{options.tuner}"
    )


def _title(config):
    return (
        f"{run_name.of_network(config)} on {run_name.of_data(config)}, "
        f"{config.epochs} epochs"
    )


def _report(search, directory, title):
    """Writes and prints the trials.

    Returns:
        The rows of the trials, the best first.
    """
    rows = search.rows()
    directory.write_trials(rows)
    if trials.best(rows):
        directory.write_plot(rows, title)
    print(trials.table(rows))
    print(search.cost())
    failed = [r["trial"] for r in rows if r["status"] == trials.FAILED]
    if failed:
        print(
            f"{len(failed)} of {len(rows)} trials failed; the first error: "
            f"{directory.first_error(sorted(failed))}",
            file=sys.stderr,
        )
    return rows


def _finish(search, directory, options, devices, rows, final):
    """Writes `best.json` and, unless told not to, evaluates on the test set."""
    chosen, baseline = trials.best(rows), trials.baseline(rows)
    config = search.config_of(chosen)
    best = dataclasses.asdict(config)
    del best["verbose"]
    directory.write_best(best)
    print(summary.sentence_on_best(rows, options.objective))
    if not final:
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
