"""The runs of a comparison: one of each method with each seed."""

import contextlib
import dataclasses

import keras

from amp_keras.comparison.method import Method
from amp_keras.errors import DivergedError
from amp_keras.experiments import run_directory
from amp_keras.experiments import train_and_evaluate as experiment
from amp_keras.experiments.config import TrainingConfig
from amp_keras.experiments.defaults import GIVEN
from amp_keras.experiments.output_directory import FolderInUseError
from amp_keras.experiments.run_directory import RunDirectory

# Why a run that may still finish is missing.
IN_USE = "another process trains it"


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """One training of a comparison.

    Attributes:
        method: The `Method`.
        config: The `TrainingConfig`, `epsilon` and `seed` included.
        path: Path, its folder.
        epsilon_origin: String, where its epsilon comes from.
    """

    method: Method
    config: TrainingConfig
    path: object
    epsilon_origin: str = GIVEN

    def open(self):
        """Returns its `RunDirectory`, which must be closed.

        Raises:
            FolderInUseError: If another process trains it.
            AMPKerasError: If the folder is of another configuration.
        """
        settings = experiment.settings(self.config, self.epsilon_origin)
        return RunDirectory(self.path, settings)

    def read_history(self):
        """Returns the logs of its epochs, a dict of lists of floats."""
        return run_directory.read_history(self.path)

    def read_predictions(self):
        """Returns loss and error of each test example, or `None`.

        Runs of early versions have not kept them.
        """
        return run_directory.read_predictions(self.path)


def paired(methods, seeds, shared, folder):
    """Returns the `Run`s, seed by seed.

    With the same seed all methods begin with the same weights and see the
    same batches in the same order with the same wrong labels.

    Args:
        methods: List of `Method`s.
        seeds: Ints.
        shared: The `TrainingConfig` that all methods share.
        folder: Path, that of the folders of the runs.
    """
    return [
        Run(
            method,
            method.config(shared, seed),
            folder / name,
            method.epsilon_origin(shared),
        )
        for seed in seeds
        for method in methods
        for name in [f"{method.name}-seed{seed}"]
    ]


def finished(runs):
    """Returns the metrics of the runs that have finished, by `Run`.

    Raises:
        AMPKerasError: If the folder of a run is of another configuration.
    """
    found = {run: _metrics(run) for run in runs if run.path.exists()}
    return {run: metrics for run, metrics in found.items() if metrics}


def train_missing(runs, devices, callbacks, on_run, should_stop):
    """Trains the runs that have not finished, and that no process trains.

    Args:
        runs: List of `Run`s.
        devices: What `distribution.create` returned.
        callbacks: Function of a `Run` that returns Keras callbacks.
        on_run: Function of a `Run`, its metrics or `None`, and a string: why
            there are none.
        should_stop: Function that tells after each step whether to save and
            stop.

    Raises:
        Interrupted: If `should_stop` said so; what was done is saved.
        AMPKerasError: If the folder of a run is of another configuration.
    """
    for run in runs:
        metrics, reason = None, None
        keras.utils.clear_session()
        try:
            with contextlib.closing(run.open()) as directory:
                metrics = experiment.train_and_evaluate(
                    run.config,
                    directory,
                    devices,
                    callbacks=callbacks(run),
                    should_stop=should_stop,
                )
        except FolderInUseError:
            reason = IN_USE
        except DivergedError as error:
            reason = str(error)
        on_run(run, metrics, reason)


def _metrics(run):
    try:
        with contextlib.closing(run.open()) as directory:
            return directory.metrics
    except FolderInUseError:
        return None
