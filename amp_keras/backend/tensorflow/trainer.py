"""The training step of AMP with `tf.GradientTape`."""

import keras
import tensorflow as tf

from amp_keras.perturbation import ascend
from amp_keras.perturbation import project


class TensorFlowTrainer:
    """Mixin that gives a `keras.Model` the training step of AMP.

    The weights never change before the optimizer updates them: a perturbed
    pass runs on the tensors `weights + perturbation`, substituted in a
    `keras.StatelessScope`, which also drops every state change of that pass.
    """

    def train_step(self, data):
        x, y, sample_weight = batch = keras.utils.unpack_x_y_sample_weight(data)
        if not self._perturbs(x):
            return super().train_step(data)

        state = self._snapshot_state()
        loss, y_pred, gradients = self._clean_pass(batch)
        perturbation = [_zero_perturbation(w) for w in self.trainable_weights]
        for _ in range(self.inner_iters):
            ascent = self._ascent_gradients(gradients)
            perturbation = ascend(perturbation, ascent, self.inner_lr)
            perturbation = project(perturbation, self.epsilon, self.norm)
            gradients = self._perturbed_pass(batch, state, perturbation)
            self._check_substituted(ascent, gradients)

        finite = _all_finite([*perturbation, *gradients])
        self._track_loss(loss, x, finite)
        self._update_weights(gradients, finite)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def _perturbs(self, x):
        """Whether the perturbation of this step can be other than zero."""
        if 0 in (self.epsilon, self.inner_lr, self.inner_iters):
            return False
        if not self._has_all_variables:
            # Variables that only the clean pass created would be missing from
            # the lists and the snapshot that this step is made of.
            with keras.StatelessScope():
                self(x)
            self._has_all_variables = True
        return bool(self.trainable_weights)

    def _snapshot_state(self):
        """Pairs each non-trainable variable with its value before the step.

        Seed generators are among them, so that the perturbed passes draw the
        same noise as the clean pass.
        """
        return [
            (v, tf.convert_to_tensor(v)) for v in self.non_trainable_variables
        ]

    def _clean_pass(self, batch):
        with tf.GradientTape() as tape:
            loss, y_pred = self._forward(*batch)
            scaled_loss = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled_loss, self.trainable_weights)
        return loss, y_pred, gradients

    def _perturbed_pass(self, batch, state, perturbation):
        weights = [
            w + tf.cast(p, w.dtype)
            for w, p in zip(self.trainable_weights, perturbation)
        ]
        substitution = [*zip(self.trainable_weights, weights), *state]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            scope = keras.StatelessScope(substitution, collect_losses=True)
            with scope:
                loss, _ = self._forward(*batch)
            scaled_loss = self.optimizer.scale_loss(loss)
        self._check_unassigned(scope, weights)
        return tape.gradient(scaled_loss, weights)

    def _forward(self, x, y, sample_weight):
        if self._call_has_training_arg:
            y_pred = self(x, training=True)
        else:
            y_pred = self(x)
        loss = self._compute_loss(
            x=x,
            y=y,
            y_pred=y_pred,
            sample_weight=sample_weight,
            training=True,
        )
        return loss, y_pred

    def _ascent_gradients(self, gradients):
        """Returns the gradients of the mean loss over the global batch.

        They are dense, in at least float32, freed of the optimizer's loss
        scale, and summed over the replicas, whose losses Keras has divided by
        their number. Variables that take their gradient for their new value
        have none.
        """
        gradients = [
            None
            if g is None or w.overwrite_with_gradient
            else tf.cast(tf.convert_to_tensor(g), _perturbation_dtype(w))
            for g, w in zip(gradients, self.trainable_weights)
        ]
        gradients = _sum_over_replicas(gradients)
        scale = self.optimizer.scale_loss(tf.ones(()))
        return [
            g if g is None else g / tf.cast(scale, g.dtype) for g in gradients
        ]

    def _check_substituted(self, clean_gradients, perturbed_gradients):
        bypassed = [
            w.path
            for w, clean, perturbed in zip(
                self.trainable_weights, clean_gradients, perturbed_gradients
            )
            if clean is not None and perturbed is None
        ]
        if bypassed:
            raise ValueError(
                "AMP cannot perturb a variable that its layer does not read "
                "as a Keras variable. Set `trainable=False` on that layer. "
                f"Received: variables {bypassed}"
            )

    def _check_unassigned(self, scope, weights):
        assigned = [
            w.path
            for w, value in zip(self.trainable_weights, weights)
            if scope.get_current_value(w) is not value
            and not w.overwrite_with_gradient
        ]
        if assigned:
            raise ValueError(
                "AMP cannot perturb a trainable variable that its layer "
                "changes when it is called, as `SpectralNormalization` does. "
                "Set `trainable=False` on that layer. "
                f"Received: variables {assigned}"
            )

    def _track_loss(self, loss, x, finite):
        loss *= tf.distribute.get_strategy().num_replicas_in_sync
        if not self._skips_non_finite_steps():
            loss = tf.where(finite, loss, float("nan") * loss)
        batch_size = tf.shape(
            next(i for i in keras.tree.flatten(x) if i is not None)
        )[0]
        self._loss_tracker.update_state(loss, sample_weight=batch_size)

    def _update_weights(self, gradients, finite):
        """Applies the gradients if the step is finite.

        Otherwise a loss-scaling optimizer is given NaN, which makes it skip
        the step, and any other optimizer zeros.
        """
        fill = float("nan") if self._skips_non_finite_steps() else 0.0
        gradients = [_where(finite, g, fill) for g in gradients]
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights))

    def _skips_non_finite_steps(self):
        return isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer)


def _perturbation_dtype(variable):
    return keras.backend.result_type(variable.dtype, "float32")


def _zero_perturbation(variable):
    return tf.zeros(variable.shape, _perturbation_dtype(variable))


def _all_finite(tensors):
    """Whether all values are finite, on all replicas."""
    finite = [
        tf.reduce_all(tf.math.is_finite(tf.convert_to_tensor(t)))
        for t in tensors
        if t is not None
    ]
    broken = tf.cast(tf.logical_not(tf.reduce_all(finite)), tf.float32)
    return tf.equal(_sum_over_replicas([broken])[0], 0.0)


def _sum_over_replicas(tensors):
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return tensors
    context = tf.distribute.get_replica_context()
    present = [t for t in tensors if t is not None]
    summed = iter(context.all_reduce(tf.distribute.ReduceOp.SUM, present))
    return [t if t is None else next(summed) for t in tensors]


def _where(condition, gradient, fill):
    if gradient is None:
        return None
    if isinstance(gradient, tf.IndexedSlices):
        values = _where(condition, gradient.values, fill)
        return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)
    return tf.where(condition, gradient, tf.cast(fill, gradient.dtype))
