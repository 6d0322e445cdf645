"""What a run minimizes, and the loss by which its epochs are compared.

The two are the same, the cross-entropy, unless another loss is asked for. The
validation loss is then the cross-entropy all the same, the mean negative
log-likelihood: that of a robust loss says nothing beside that of another.
"""

import keras

from amp_keras.experiments.input_pipeline import augmentation_of
from amp_keras.losses import GeneralizedCrossEntropy

_NLL = "nll"


def build(config):
    """Returns the loss and the metrics to compile a model with."""
    soft = augmentation_of(config).has_soft_labels
    if config.gce:
        nll = (
            keras.metrics.CategoricalCrossentropy
            if soft
            else keras.metrics.SparseCategoricalCrossentropy
        )
        loss = GeneralizedCrossEntropy(config.gce, from_logits=True)
        return loss, ["accuracy", nll(_NLL, from_logits=True)]
    if soft:
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return loss, ["accuracy"]


class ValidationNLL(keras.callbacks.Callback):
    """Makes the cross-entropy of the validation data its loss.

    It comes before callbacks that read the logs.
    """

    def on_epoch_end(self, epoch, logs=None):
        logs.pop(_NLL, None)
        nll = logs.pop(f"val_{_NLL}", None)
        if nll is not None:
            logs["val_loss"] = nll
