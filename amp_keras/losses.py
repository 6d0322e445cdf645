"""A loss that is robust to wrong labels, to compare AMP with."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="amp_keras")
class GeneralizedCrossEntropy(keras.losses.Loss):
    """Generalized cross-entropy (GCE), for labels some of which are wrong.

    With the probability `p` of the label's class, it is

        (1 - p ** q) / q

    which is the cross-entropy `-log(p)` in the limit of `q` = 0, and `1 - p`,
    half the mean absolute error of the paper, with `q` = 1. Its gradient is
    that of the cross-entropy times `p ** q`: the larger `q`, the less a label
    counts that the network thinks unlikely.

    Of labels that are shares of classes, as label smoothing and MixUp make
    them, it is the mean by those shares.

    Example:

    ```python
    model.compile(
        optimizer="sgd",
        loss=amp_keras.losses.GeneralizedCrossEntropy(0.7, from_logits=True),
    )
    ```

    Args:
        q: Float from 0 to 1. Defaults to `0.7`, that of the paper.
        from_logits: Bool, whether predictions are logits and not
            probabilities. Defaults to `False`.
        reduction: As in `keras.losses.Loss`. Defaults to
            `"sum_over_batch_size"`.
        name: String. Defaults to `"generalized_cross_entropy"`.
        dtype: As in `keras.losses.Loss`. Defaults to `None`.

    Call arguments:
        y_true: Integer classes of shape `(...,)` or `(..., 1)`, or shares of
            classes of the shape of `y_pred`.
        y_pred: Predictions of shape `(..., classes)`.

    Raises:
        ValueError: If `q` is not from 0 to 1.

    Reference:
        Zhang, Sabuncu, "Generalized Cross Entropy Loss for Training Deep
        Neural Networks with Noisy Labels", NeurIPS 2018
        (https://arxiv.org/abs/1805.07836), equation 6.
    """

    def __init__(
        self,
        q=0.7,
        from_logits=False,
        reduction="sum_over_batch_size",
        name="generalized_cross_entropy",
        dtype=None,
    ):
        if not 0 <= q <= 1:
            raise ValueError(
                f"`q` must be a float from 0 to 1. Received: q={q!r}"
            )
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.q = float(q)
        self.from_logits = bool(from_logits)

    def call(self, y_true, y_pred):
        losses = self._losses(self._log_probabilities(y_pred))
        return ops.sum(_shares(y_true, y_pred) * losses, axis=-1)

    def get_config(self):
        return {
            **super().get_config(),
            "q": self.q,
            "from_logits": self.from_logits,
        }

    def _log_probabilities(self, y_pred):
        if self.from_logits:
            return ops.log_softmax(y_pred, axis=-1)
        return ops.log(ops.clip(y_pred, keras.config.epsilon(), 1.0))

    def _losses(self, log_probabilities):
        """Returns what each class costs, were it the label.

        By the logarithm, since the slope of `p ** q` is infinite at 0.
        """
        if self.q == 0:
            return -log_probabilities
        return -ops.expm1(self.q * log_probabilities) / self.q


def _shares(y_true, y_pred):
    """Returns labels as shares of classes."""
    if len(y_true.shape) == len(y_pred.shape):
        if y_true.shape[-1] == y_pred.shape[-1]:
            return y_true
        y_true = ops.squeeze(y_true, axis=-1)
    classes = y_pred.shape[-1]
    return ops.one_hot(ops.cast(y_true, "int32"), classes, dtype=y_pred.dtype)
