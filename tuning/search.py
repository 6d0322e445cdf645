"""Searches for epsilon, and more, with keras-tuner.

```
python tuning/search.py --dataset=cifar10 --model=resnet20
python tuning/search.py --dataset=digits --model=resnet20 --max_trials=8
```

Trials are judged on a validation split of the training data, and plain
training, epsilon=0, is the first of them. The test set is looked at once, at
the end, by the chosen configuration and plain training. A search that was
stopped goes on when the same command is run again.

Several processes or machines share a search:

```
python tuning/search.py --chief=HOST:1234 ...             # hands out trials
python tuning/search.py --chief=HOST:1234 --worker=0 ...  # runs them
python tuning/search.py --chief=HOST:1234 --worker=1 ...
```
"""

import dataclasses
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "apps"))

import chief_and_workers
import command_line
import distribution
import epsilon_plot
import final_runs
import judgement
import search_flags
import search_oracle
import training_data
import trials
from absl import flags
from config_file import ConfigError
from distribution import DistributionError
from output_directory import OutputError
from search_directory import SearchDirectory
from search_error import SearchError
from search_progress import SearchProgress
from search_space import SearchSpace
from search_tuner import SearchTuner
from training_config import TrainingError

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
            directory.path / "trials.csv", options.objective, config.epochs
        )
        self._space = SearchSpace(
            options, config, training_data.load_data(config, devices)
        )
        self._oracle = search_oracle.create(options, config, self._progress)
        self._tuner = SearchTuner(
            self._oracle,
            self._space,
            directory,
            options.executions_per_trial,
            devices,
        )
        self._progress.num_trials = search_oracle.num_trials(self._oracle)

    def reload(self):
        """Takes up what an earlier command has done."""
        if self._directory.oracle_file.exists():
            try:
                self._oracle.reload()
            except (KeyError, ValueError, RuntimeError) as error:
                raise SearchError(
                    f"{self._directory.oracle_file} cannot be read; "
                    f"--overwrite begins anew ({error})"
                ) from error
            self._progress.resume(self._oracle)

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
    trials.write_csv(directory.path / "trials.csv", rows)
    if trials.best(rows):
        epsilon_plot.draw(directory.path / "epsilon.png", rows, title)
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
    print(judgement.judge(rows, options.objective))
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
    options, config = search_flags.options_from_flags()
    values = flags.FLAGS
    role = chief_and_workers.join(values.chief, values.worker)
    devices = distribution.create(config.distribution)
    path = values.output_dir or (
        f"runs/search-{config.dataset}-{config.model}-{config.norm}-"
        f"{options.tuner}"
    )
    if role == chief_and_workers.WORKER:
        chief_and_workers.wait_for_chief()
    settings = {**dataclasses.asdict(config), **dataclasses.asdict(options)}
    del settings["epsilon"]
    directory = SearchDirectory(
        path,
        settings,
        overwrite=values.overwrite and role != chief_and_workers.WORKER,
        shared=role == chief_and_workers.WORKER,
    )
    directory.write_config()
    search = Search(options, config, directory, devices)
    if role == chief_and_workers.WORKER:
        search.run()
        return
    search.reload()
    search.run()
    title = f"{config.model} on {config.dataset}, {config.epochs} epochs"
    rows = report(search, directory, options, title)
    if trials.best(rows) is None:
        print(f"search.py: no trial succeeded; see {path}", file=sys.stderr)
        sys.exit(_NOTHING_SUCCEEDED)
    finish(search, directory, options, devices, rows)
    for name in ("trials.csv", "epsilon.png", "best.json", "final.csv"):
        if (directory.path / name).exists():
            print(f"wrote {directory.path / name}")


if __name__ == "__main__":
    command_line.run(main, ERRORS)
