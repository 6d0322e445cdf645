"""The training step of AMP, up to what depends on the backend."""

import contextlib
import copy
import re

import keras
from keras import ops

from amp_keras.perturbation import ascend
from amp_keras.perturbation import clipped_share
from amp_keras.perturbation import l2_norm
from amp_keras.perturbation import project
from amp_keras.perturbation import wide_dtype

PERTURBATION_METRICS = (
    "perturbed_loss",
    "sharpness",
    "perturbation_norm",
    "perturbation_clipped",
)


class AMPTrainer:
    """Mixin that gives a `keras.Model` the training step of AMP.

    The weights never change before the optimizer updates them: a perturbed
    pass runs on the tensors `weights + perturbation`, substituted in a
    `keras.StatelessScope`, which also drops every state change of that pass.

    The subclass in `backend/<name>/trainer.py` has `train_step()` and the
    passes, which differentiate.
    """

    def _amp_step(self, data):
        """Algorithm 1 on one batch; returns the logs of the step."""
        x, y, sample_weight = batch = keras.utils.unpack_x_y_sample_weight(data)
        loss, y_pred, gradients, state = self._clean_pass(batch)
        perturbation = self._zero_perturbation()
        for _ in range(self.inner_iters):
            ascent = self._ascent_gradients(gradients, perturbation)
            ascended = ascend(perturbation, ascent, self.inner_lr)
            perturbation = project(ascended, self._radius(), self.norm)
            clean_gradients = gradients
            perturbed_loss, gradients = self._perturbed_pass(
                batch, state, perturbation
            )
            self._check_substituted(clean_gradients, gradients)

        finite = self._all_finite([*perturbation, *gradients])
        self._track_loss(loss, x, finite)
        logs = self._track_perturbation(
            loss, perturbed_loss, ascended, perturbation, x, finite
        )
        self._update_weights(gradients, finite)
        metrics = self.compute_metrics(x, y, y_pred, sample_weight)
        return {**metrics, **logs}

    def get_metrics_result(self):
        """Leaves out the perturbation's metrics, which are of training only."""
        results = super().get_metrics_result()
        return {
            name: value
            for name, value in results.items()
            if name not in self._perturbation_metrics
        }

    def make_train_function(self, force=False):
        """Compiles the step anew when the perturbation appears or vanishes."""
        self._epsilon.refresh()
        force = force or self._has_perturbation != self._compiled_perturbation
        self._compiled_perturbation = self._has_perturbation
        return super().make_train_function(force)

    @property
    def _has_perturbation(self):
        return 0 not in (self.epsilon, self.inner_lr, self.inner_iters)

    def _perturbs(self):
        """Whether the perturbation of this step can be other than zero."""
        return self._has_perturbation and bool(self.trainable_weights)

    def _zero_perturbation(self):
        """Returns zeros, in at least float32, or `None` for a left-out weight.

        Weights that take their gradient for their new value are left out.
        """
        perturbation = [
            ops.zeros(w.shape, wide_dtype(w.dtype))
            if _matches(self.perturb, w) and not w.overwrite_with_gradient
            else None
            for w in self.trainable_weights
        ]
        if all(p is None for p in perturbation):
            paths = [w.path for w in self.trainable_weights]
            raise ValueError(
                "`perturb` must select at least one of the trainable "
                f"variables, {paths}. Received: perturb={self.perturb!r}"
            )
        return perturbation

    def _perturbed_values(self, perturbation):
        """Returns trainable weights + perturbation."""
        return [
            w.value if p is None else w.value + ops.cast(p, w.dtype)
            for w, p in zip(self.trainable_weights, perturbation)
        ]

    @contextlib.contextmanager
    def _substituted(self, weights, state):
        """A scope in which variables have the given values.

        Seed generators are part of the state, so that the perturbed passes
        draw the same noise as the clean pass.
        """
        substitution = [*zip(self.trainable_weights, weights), *state]
        scope = keras.StatelessScope(substitution, collect_losses=True)
        before = map(scope.get_current_value, self.trainable_weights)
        before = list(before)
        with scope:
            yield scope
        after = map(scope.get_current_value, self.trainable_weights)
        self._check_unassigned(before, after)

    def _state_variables(self):
        """All variables that the optimizer does not train.

        Keras does not count the states of stateful recurrent layers among
        the non-trainable variables.
        """
        states = [
            layer.states
            for layer in self._flatten_layers()
            if isinstance(layer, keras.layers.RNN) and layer.states is not None
        ]
        return [*self.non_trainable_variables, *keras.tree.flatten(states)]

    def _radius(self):
        return ops.convert_to_tensor(self._epsilon.variable)

    def _forward(self, *batch):
        # A model or a loss may change containers and arrays in place.
        x, y, sample_weight = keras.tree.map_structure(
            lambda t: t if ops.is_tensor(t) else copy.copy(t), batch
        )
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

    def _ascent_gradients(self, gradients, perturbation):
        """Returns the gradients of the mean loss over the global batch.

        They are in the dtype of the perturbation, freed of the optimizer's
        loss scale, summed over the replicas, and clipped if asked for.
        """
        gradients = [
            None if g is None or p is None else ops.cast(g, p.dtype)
            for g, p in zip(gradients, perturbation)
        ]
        gradients = self._of_global_batch(gradients)
        scale = self.optimizer.scale_loss(ops.ones(()))
        gradients = [
            g if g is None else g / ops.cast(scale, g.dtype) for g in gradients
        ]
        if self.inner_clipnorm is None:
            return gradients
        return project(gradients, self.inner_clipnorm)

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
                "as a Keras variable. Leave it out by `perturb` or set "
                "`trainable=False` on that layer. "
                f"Received: variables {bypassed}"
            )

    def _check_unassigned(self, before, after):
        assigned = [
            w.path
            for w, old, new in zip(self.trainable_weights, before, after)
            if old is not new and not w.overwrite_with_gradient
        ]
        if assigned:
            raise ValueError(
                "AMP cannot perturb a model with a trainable variable that "
                "its layer changes when it is called, as "
                "`SpectralNormalization` does. Set `trainable=False` on that "
                f"layer. Received: variables {assigned}"
            )

    def _track_loss(self, loss, x, finite):
        loss *= self._num_replicas()
        if not self._skips_non_finite_steps():
            loss = ops.where(finite, loss, float("nan") * loss)
        self._loss_tracker.update_state(loss, sample_weight=_batch_size(x))

    def _track_perturbation(
        self, loss, perturbed_loss, ascended, perturbation, x, finite
    ):
        """Updates the perturbation's metrics and returns their results."""
        if not self._perturbation_metrics:
            return {}
        values = {
            "perturbed_loss": perturbed_loss * self._num_replicas(),
            "sharpness": (perturbed_loss - loss) * self._num_replicas(),
            "perturbation_norm": l2_norm(perturbation),
            "perturbation_clipped": clipped_share(
                ascended, self._radius(), self.norm
            ),
        }
        weight = ops.cast(_batch_size(x), "float32")
        fill = float("nan")
        if self._skips_non_finite_steps():
            weight *= ops.cast(finite, "float32")
            fill = 0.0
        for name, value in values.items():
            value = ops.where(finite, ops.cast(value, "float32"), fill)
            self._perturbation_metrics[name].update_state(value, weight)
        return {k: m.result() for k, m in self._perturbation_metrics.items()}

    def _logs_without_perturbation(self, logs):
        """Adds what the perturbation's metrics are in a plain step."""
        if not self._perturbation_metrics:
            return logs
        zeros = {
            name: ops.zeros_like(logs["loss"])
            for name in self._perturbation_metrics
        }
        return {**logs, **zeros, "perturbed_loss": logs["loss"]}

    def _update_weights(self, gradients, finite):
        """Applies the gradients if the step is finite.

        Otherwise a loss-scaling optimizer is given NaN, which makes it skip
        the step, and any other optimizer zeros. A weight that takes its
        gradient for its new value keeps the old one.
        """
        fill = float("nan") if self._skips_non_finite_steps() else 0.0
        gradients = [
            g
            if g is None
            else ops.where(finite, g, _without_effect(w, g, fill))
            for w, g in zip(self.trainable_weights, gradients)
        ]
        self._apply_gradients(gradients)

    def _skips_non_finite_steps(self):
        return isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer)

    def _make_perturbation_metrics(self):
        if not self.log_perturbation:
            return {}
        return {name: keras.metrics.Mean(name) for name in PERTURBATION_METRICS}

    def _check_strategy(self):
        """Raises if the active distribution cannot train a Keras model."""

    def _all_finite(self, tensors):
        return ops.all(
            ops.stack(
                [ops.all(ops.isfinite(t)) for t in tensors if t is not None]
            )
        )

    def _of_global_batch(self, gradients):
        return gradients

    def _num_replicas(self):
        return 1


def _batch_size(x):
    return ops.shape(next(i for i in keras.tree.flatten(x) if i is not None))[0]


def _matches(perturb, variable):
    if perturb is None:
        return True
    if callable(perturb):
        return perturb(variable)
    return re.search(perturb, variable.path) is not None


def _without_effect(variable, gradient, fill):
    if variable.overwrite_with_gradient:
        return variable.value
    return ops.cast(fill, gradient.dtype)
