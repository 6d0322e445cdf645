"""The weights of the epoch that counts."""

import keras

from amp_keras.experiments import model_state


class BestWeights(keras.callbacks.Callback):
    """Keeps the network's variables after the epoch of lowest validation loss.

    Args:
        progress: The `Progress`, whose history it reads and whose `best_epoch`
            it sets.
        arrays: Dict of arrays, those kept so far. Defaults to `None`: none.
        values: Function of the `AMPModel` that returns those of the network
            that was validated, by address. Defaults to `network_values`.
    """

    def __init__(self, progress, arrays=None, values=None):
        super().__init__()
        self.arrays = arrays or {}
        self._progress = progress
        self._values = values or network_values

    def on_epoch_end(self, epoch, logs=None):
        losses = self._progress.history.get("val_loss")
        if losses and losses[-1] <= min(losses):
            self._progress.best_epoch = epoch + 1
            self.arrays = self._values(self.model)

    def put_back(self, network):
        """Gives the network what was kept, if anything was."""
        if self.arrays:
            variables = model_state.network_variables(network)
            model_state.assign(variables, self.arrays)


def network_values(model):
    """Returns the values of the network of an `AMPModel`, by address."""
    model_state.take_back_variables(model)
    return model_state.values(model_state.network_variables(model.model))
