"""What TensorBoard shows of a run."""

import contextlib

import keras
from tensorboard.compat import tf
from tensorboard.plugins.hparams import api as hparams


def callbacks(log_dir, hyperparameters, name):
    """Returns Keras callbacks that log curves and hyperparameters.

    They serve any number of calls of `fit()`: a run that goes on in the middle
    of an epoch makes two. (TensorBoard's own callback serves one.)

    Args:
        log_dir: String or path, the folder of the logs.
        hyperparameters: Dict of what TensorBoard's HParams lists. Values of
            `None` are left out.
        name: String, that of the run among those that are shown together.
    """
    known = {k: v for k, v in hyperparameters.items() if v is not None}

    def write_hyperparameters(logs):
        writer = tf.summary.create_file_writer(str(log_dir))
        with contextlib.closing(writer), writer.as_default():
            hparams.hparams(known, trial_id=name)

    return [
        keras.callbacks.TensorBoard(str(log_dir), write_graph=False),
        keras.callbacks.LambdaCallback(on_train_begin=write_hyperparameters),
    ]
