"""Saving a run as it goes, and stopping it."""

import dataclasses

import keras

from amp_keras.experiments import model_state

_BEST = "best"


class Interrupted(Exception):
    """The run was asked to stop, and has saved what it did."""


class CheckpointCallback(keras.callbacks.Callback):
    """Writes checkpoints, and stops the run when it is asked to.

    It comes after the callbacks whose state it saves.

    Args:
        progress: The `Progress`.
        best_weights: The `BestWeights`.
        steps_per_epoch: Int.
        checkpoints: `Checkpoints` to write at the end of each epoch. Defaults
            to `None`: none.
        every_steps: Int, write them also every so many steps. Defaults to
            `None`.
        should_stop: Function that tells after each step whether to save and
            stop. Defaults to one that never does.
    """

    def __init__(
        self,
        progress,
        best_weights,
        steps_per_epoch,
        checkpoints=None,
        every_steps=None,
        should_stop=lambda: False,
    ):
        super().__init__()
        self._progress = progress
        self._best_weights = best_weights
        self._steps_per_epoch = steps_per_epoch
        self._checkpoints = checkpoints
        self._every_steps = every_steps
        self._should_stop = should_stop

    def on_train_batch_end(self, batch, logs=None):
        step = self._progress.step
        if step % self._steps_per_epoch == 0:
            return
        stop = self._should_stop()
        if stop or (self._every_steps and step % self._every_steps == 0):
            self._save()
        if stop:
            raise Interrupted

    def on_epoch_end(self, epoch, logs=None):
        self._save()
        if self._should_stop():
            raise Interrupted

    def _save(self):
        if self._checkpoints is None:
            return
        model_state.take_back_variables(self.model)
        best = self._best_weights.arrays
        arrays = {
            **model_state.values(model_state.variables(self.model)),
            **{f"{_BEST}/{address}": a for address, a in best.items()},
        }
        progress = {
            **dataclasses.asdict(self._progress),
            "epsilon": self.model.epsilon,
        }
        self._checkpoints.save(self._progress.step, arrays, progress)


def split(arrays):
    """Returns the arrays of a checkpoint in two dicts: model, best weights."""
    best = {
        address.removeprefix(f"{_BEST}/"): array
        for address, array in arrays.items()
        if address.startswith(f"{_BEST}/")
    }
    model = {
        address: array
        for address, array in arrays.items()
        if not address.startswith(f"{_BEST}/")
    }
    return model, best
