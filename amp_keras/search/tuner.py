"""Runs the trials of a search with the training function of the apps."""

import contextlib
import dataclasses
import io
import os
import statistics
import sys
import time

import keras
import keras_tuner

from amp_keras.errors import NetworkError
from amp_keras.experiments import tensorboard_logs
from amp_keras.experiments import training
from amp_keras.experiments.checkpoints import ReadOnlyCheckpoints
from amp_keras.search.rung_checkpoints import RungCheckpoints

_PAUSE_SECONDS = 1
METRICS = ("val_loss", "val_accuracy", "loss", "accuracy")


class SearchTuner(keras_tuner.Tuner):
    """Trains each trial once for each seed, and keeps its last epoch.

    The last epoch and not the best one: it is what training with the same
    configuration gives, whereas the best epoch is chosen with hindsight.
    Execution i of every trial has the seed `config.seed + i`, and so the same
    initial weights, batches and validation split. With hyperband a trial that
    goes on is trained from its beginning, since its learning rate decays over
    the epochs of that trial. With halving it decays over all epochs of the
    search: a trial goes on from the checkpoint of the one before it, or from
    its beginning where that is not at hand, with the same result. Trials that
    stop short have the first seed only. No weights are kept in the end.

    Args:
        oracle: A keras-tuner oracle.
        space: The `SearchSpace`.
        directory: The `SearchDirectory`.
        executions_per_trial: Int, the number of seeds.
        devices: What `distribution.create` returned.
        load: Function of a seed that returns the `ImageData` of its runs.
    """

    def __init__(
        self, oracle, space, directory, executions_per_trial, devices, load
    ):
        self._space = space
        self._search_directory = directory
        self._devices = devices
        self._load = load
        self._waits = False
        with _quiet():
            super().__init__(
                oracle,
                directory=str(directory.path),
                project_name="keras_tuner",
                executions_per_trial=executions_per_trial,
            )

    def run_trial(self, trial):
        start = time.monotonic()
        config = self._space.config(trial.hyperparameters)
        executions = self._executions(config)
        _, last = self._space.epochs(trial.hyperparameters)
        if last < config.epochs:
            executions = executions[:1]
        runs = {once.seed: self._train(once, trial) for once in executions}
        return {**_summary(runs), "seconds": time.monotonic() - start}

    def search(self):
        """Runs the trials, or hands them out to workers."""
        for config in self._executions(self._space.baseline):
            # Before a worker needs it: they all begin with the same seed.
            self._statistics(config)
        super().search()
        self._search_directory.remove_checkpoints()

    def save(self):
        """Saves the oracle, which is all that a search goes on by."""
        if not self._is_worker():
            self.oracle.save()

    def pre_create_trial(self):
        # keras-tuner asks again at once when there is nothing to do yet.
        if self._waits:
            time.sleep(_PAUSE_SECONDS)
        self._waits = True

    def on_trial_begin(self, trial):
        self._waits = False
        super().on_trial_begin(trial)

    def on_trial_end(self, trial):
        if "KERASTUNER_ORACLE_IP" in os.environ:
            print(f"{self.tuner_id} ran trial {trial.trial_id}", flush=True)
        # keras-tuner swallows the error, and does not send it to the chief.
        if trial.message:
            error = trial.message.strip().splitlines()[-1]
            self._search_directory.write_error(trial.trial_id, trial.message)
            print(f"trial {trial.trial_id} failed: {error}", file=sys.stderr)
        super().on_trial_end(trial)

    def _executions(self, config):
        return [
            dataclasses.replace(config, seed=config.seed + execution)
            for execution in range(self.executions_per_trial)
        ]

    def _statistics(self, config):
        return self._search_directory.statistics(
            config, lambda: self._load(config.seed)
        )

    def _train(self, config, trial):
        keras.utils.clear_session()
        keras.utils.set_random_seed(config.seed)
        data = self._load(config.seed)
        _, last = self._space.epochs(trial.hyperparameters)
        with self._errors_of_network():
            _, progress = training.train(
                config,
                data,
                self._callbacks(config, trial),
                self._devices,
                checkpoints=self._checkpoints(config, trial),
                statistics=self._statistics(config),
                last_epoch=last,
            )
        return {name: progress.history[name][-1] for name in METRICS}

    def _checkpoints(self, config, trial):
        """Returns what a run goes on from, and what one may go on from."""
        done, last = self._space.epochs(trial.hyperparameters)
        values = trial.hyperparameters.values
        folder_of = self._search_directory.checkpoints
        earlier = folder_of(
            values.get("tuner/trial_id", trial.trial_id), config.seed
        )
        if last < config.epochs:
            own = folder_of(trial.trial_id, config.seed)
            return RungCheckpoints(earlier, own, last)
        return ReadOnlyCheckpoints(earlier) if done else None

    def _callbacks(self, config, trial):
        log_dir = self._search_directory.path / "tensorboard"
        log_dir = str(log_dir / trial.trial_id / f"seed{config.seed}")
        return tensorboard_logs.callbacks(
            log_dir,
            trial.hyperparameters.values,
            f"{trial.trial_id}-seed{config.seed}",
        )

    @contextlib.contextmanager
    def _errors_of_network(self):
        """Ends the search by an error that every trial would have."""
        try:
            yield
        except NetworkError as error:
            if self._is_worker():
                # A chief waits for its workers; the trial has failed.
                raise
            raise keras_tuner.errors.FatalError(str(error)) from error


def _summary(runs):
    """Means over seeds, and the values of each; keras-tuner keeps floats."""
    means = {
        name: statistics.mean(run[name] for run in runs.values())
        for name in METRICS
    }
    single = {
        f"{name}_seed{seed}": run[name]
        for seed, run in runs.items()
        for name in ("val_loss", "val_accuracy")
    }
    return {**means, **single}


@contextlib.contextmanager
def _quiet():
    with contextlib.redirect_stdout(io.StringIO()):
        yield
