"""Going on with a run exactly where its last checkpoint stood.

Batches are a function of the seed and the step, so what a run is made of is
its variables (among them the optimizer's position in its schedules, and the
seed generators of layers), the metrics of the epoch that it is in, and its
history. `keras.callbacks.BackupAndRestore` carries the first part only, begins
an interrupted epoch's metrics anew, and overwrites the one file it keeps.
"""

import keras

from amp_keras.errors import AMPKerasError
from amp_keras.experiments import checkpoint_callback
from amp_keras.experiments import model_state


def restore(model, arrays, epsilon, batch):
    """Gives a compiled model the state that was saved.

    Args:
        model: The compiled `AMPModel`.
        arrays: Dict of arrays, those of a checkpoint.
        epsilon: Float, the radius that it had.
        batch: A batch of training data, which creates the metrics.

    Returns:
        Dict of arrays, the best weights so far.

    Raises:
        AMPKerasError: If it was saved from another network.
    """
    model.optimizer.build(model.trainable_variables)
    model.test_on_batch(*batch)
    arrays, best = checkpoint_callback.split(arrays)
    try:
        model_state.assign(model_state.variables(model), arrays)
    except ValueError as error:
        raise AMPKerasError(
            f"the checkpoint is of another network: {error}"
        ) from error
    if model.epsilon != epsilon:
        model.epsilon = epsilon
    return best


class MetricsOfBrokenEpoch(keras.callbacks.Callback):
    """Gives metrics back what they had in the epoch in which a run stopped.

    `fit()` resets them when it begins, with the rest of that epoch.

    Args:
        model: The model after `restore`.
        steps_done: Int, the steps of that epoch; 0 if there is none.
    """

    def __init__(self, model, steps_done):
        super().__init__()
        variables = model.metrics_variables if steps_done else ()
        self._values = [keras.ops.convert_to_numpy(v) for v in variables]

    def on_epoch_begin(self, epoch, logs=None):
        for variable, value in zip(self.model.metrics_variables, self._values):
            variable.assign(value)
        self._values = []
