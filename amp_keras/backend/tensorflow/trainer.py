"""The training step of AMP with `tf.GradientTape`."""

import keras
import tensorflow as tf
from keras import ops

from amp_keras.trainer import AMPTrainer


class TensorFlowTrainer(AMPTrainer):
    """`AMPTrainer` on the TensorFlow backend."""

    def train_step(self, data):
        if self._has_perturbation:
            self._create_variables(data)
        if not self._perturbs():
            logs = super().train_step(data)
            return self._logs_without_perturbation(logs)
        return self._amp_step(data)

    def _create_variables(self, data):
        """Builds what Keras would only build in the clean pass.

        Its variables would be missing from the lists and the snapshot that
        the step is made of.
        """
        if not self._has_all_variables:
            x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
            with keras.StatelessScope():
                self(x)
            self._has_all_variables = True

    def _clean_pass(self, batch):
        state = [(v, tf.convert_to_tensor(v)) for v in self._state_variables()]
        with tf.GradientTape() as tape:
            loss, y_pred = self._forward(*batch)
            scaled_loss = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled_loss, self.trainable_weights)
        return loss, y_pred, _dense(gradients), state

    def _perturbed_pass(self, batch, state, perturbation):
        weights = self._perturbed_values(perturbation)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            with self._substituted(weights, state):
                loss, _ = self._forward(*batch)
            scaled_loss = self.optimizer.scale_loss(loss)
        return loss, _dense(tape.gradient(scaled_loss, weights))

    def _apply_gradients(self, gradients):
        self.optimizer.apply(gradients, self.trainable_weights)

    def _of_global_batch(self, gradients):
        """Sums over the replicas, whose losses Keras divides by their number.

        Without synchronization each replica has the gradient of its own part
        of the batch, freed of that division.
        """
        if self.synchronize_perturbation:
            return _sum_over_replicas(gradients)
        return [g if g is None else g * self._num_replicas() for g in gradients]

    def _check_strategy(self):
        strategy = tf.distribute.get_strategy()
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            raise ValueError(
                "Keras 3 does not train under `MultiWorkerMirroredStrategy` "
                "(https://github.com/keras-team/keras/issues/20585). Use "
                "`MirroredStrategy` on one machine, or several machines by "
                "KERAS_BACKEND=jax and `keras.distribution`. "
                f"Received: strategy={strategy!r}"
            )

    def _all_finite(self, tensors):
        broken = ops.logical_not(super()._all_finite(tensors))
        (replicas,) = _sum_over_replicas([ops.cast(broken, "float32")])
        return ops.equal(replicas, 0.0)

    def _num_replicas(self):
        return tf.distribute.get_strategy().num_replicas_in_sync


def _dense(gradients):
    return [g if g is None else tf.convert_to_tensor(g) for g in gradients]


def _sum_over_replicas(tensors):
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return tensors
    context = tf.distribute.get_replica_context()
    present = [t for t in tensors if t is not None]
    summed = iter(context.all_reduce(tf.distribute.ReduceOp.SUM, present))
    return [t if t is None else next(summed) for t in tensors]
