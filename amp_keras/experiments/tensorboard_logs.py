"""What TensorBoard shows of a run."""

import keras
from tensorboard.plugins.hparams import api as hparams


def callbacks(log_dir, hyperparameters, name):
    """Returns Keras callbacks that log curves and hyperparameters.

    Args:
        log_dir: String or path, the folder of the logs.
        hyperparameters: Dict of what TensorBoard's HParams lists. Values of
            `None` are left out.
        name: String, that of the run among those that are shown together.
    """
    known = {k: v for k, v in hyperparameters.items() if v is not None}
    return [
        keras.callbacks.TensorBoard(str(log_dir), write_graph=False),
        hparams.KerasCallback(str(log_dir), known, trial_id=name),
    ]
