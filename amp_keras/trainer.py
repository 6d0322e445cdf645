"""The training step of AMP, up to what depends on the backend."""

import copy
import re

import keras
from keras import ops

from amp_keras import batch_part
from amp_keras import perturbation as reference
from amp_keras.perturbation import clipped_share
from amp_keras.perturbation import l2_norm

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
    `PassScope`, which also drops every state change of that pass.

    The subclass in `backend/<name>/trainer.py` has `train_step()`;
    `_differentiate`; `_first_scope()`, that of the first pass, which leaves
    numbers and state, or numbers only if it sees a part of the batch;
    `_repeating_scope(first)`, that of a pass which begins as the first did and
    leaves nothing; and `_last_scope(first)`, that of one which begins as the
    first did and leaves the state. (Numbers are the variables of metrics, state
    all others that a pass assigns.) It may have an `_arithmetic` of its own, a
    module of the same functions.
    """

    _arithmetic = reference

    def _amp_step(self, data):
        """Algorithm 1 on one batch; returns the logs of the step."""
        batch = keras.utils.unpack_x_y_sample_weight(data)
        x, y, sample_weight = part = self._part(batch)
        epsilon, variables = self._radius(), self._perturbed_variables()
        perturbation = self.initial_perturbation(variables, epsilon)
        loss, y_pred, gradients, first = self._first_pass(part, perturbation)
        perturbed_loss = loss
        for seen, make_scope in self._perturbed_passes(batch, part):
            ascent = self._ascent_gradients(gradients)
            perturbation = self.ascend(variables, perturbation, ascent, epsilon)
            perturbed_loss, gradients = self._perturbed_pass(
                seen, perturbation, make_scope, first, gradients
            )

        finite = self._all_finite([*perturbation, *gradients])
        self._track_loss(loss, x, finite)
        logs = self._track_perturbation(
            loss, perturbed_loss, perturbation, epsilon, x, finite
        )
        self._update_weights(gradients, finite)
        metrics = self.compute_metrics(x, y, y_pred, sample_weight)
        return {**metrics, **logs}

    def initial_perturbation(self, variables, epsilon):
        """Returns the perturbation that a step begins with: zero.

        The first pass of a step, which its loss, metrics and state come from,
        is made at the weights + this perturbation. Override it for methods
        that do not begin at the weights.

        Args:
            variables: List of tensors, the values of the variables that are
                perturbed.
            epsilon: Scalar tensor, the radius. (`self.epsilon` cannot be read
                within a compiled step.)

        Returns:
            List of tensors of the shapes of `variables`, at least float32.
        """
        return self._arithmetic.zeros(variables)

    def ascend(self, variables, perturbation, gradients, epsilon):
        """Takes one step of the inner maximization, projection included.

        Override it for another ascent, such as that of ASAM.

        Args:
            variables: List of tensors, the values of the variables that are
                perturbed.
            perturbation: List of tensors, the perturbation so far.
            gradients: List of tensors, the gradients of the mean loss over the
                global batch at `variables + perturbation`, of the dtypes of
                the perturbation; zeros where the loss does not depend on a
                variable.
            epsilon: Scalar tensor, the radius. (`self.epsilon` cannot be read
                within a compiled step.)

        Returns:
            List of tensors, the next perturbation, and nothing else.

        Reference:
            Zheng et al., CVPR 2021, Algorithm 1, lines 6 to 9.
        """
        ball = self._arithmetic
        ascended = ball.ascend(perturbation, gradients, self.inner_lr)
        return ball.project(ascended, epsilon, self.norm)

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

    def _set_up_trainer(self):
        """Makes the state of the trainer; the arguments have been set."""
        self._perturbation_metrics = {}
        if self.log_perturbation:
            self._perturbation_metrics = {
                name: keras.metrics.Mean(name) for name in PERTURBATION_METRICS
            }
        self._compiled_perturbation = self._has_perturbation
        self._has_warned = False
        self._has_all_variables = all(
            layer.built for layer in self._flatten_layers()
        )

    def _first_pass(self, batch, perturbation):
        """Makes the pass that the step's numbers and state come from.

        Returns:
            A tuple: the loss, the predictions, the gradients, and the scope.
        """
        weights = [w.value for w in self.trainable_weights]
        if not self._begins_at_the_weights():
            weights = self._perturbed_weights(perturbation)
        with self._first_scope() as scope:
            gradients, loss, y_pred = self._run_pass(batch, weights, scope)
        return loss, y_pred, gradients, scope

    def _part(self, batch):
        """Returns what the ascent sees of a batch."""
        if self._inner_stride == 1:
            return batch
        batch_part.check_network(self.model)
        part = batch_part.take(batch, self._inner_stride)
        if not self._has_warned:
            self._has_warned = True
            batch_part.warn_of_few_examples(self.model, part)
        return part

    def _perturbed_passes(self, batch, part):
        """Returns for each what it sees, and the function of its scope."""
        repeated, last = self._repeating_scope, self._last_scope
        if part is batch:
            return [(batch, repeated)] * self.inner_iters
        return [(part, repeated)] * (self.inner_iters - 1) + [(batch, last)]

    def _perturbed_pass(
        self, batch, perturbation, make_scope, first, previous_gradients
    ):
        """Returns loss and gradients at weights + perturbation.

        A variable that the loss no longer depends on, as that of an expert to
        which nothing is routed there, has a gradient of zero.
        """
        weights = self._perturbed_weights(perturbation)
        with make_scope(first) as scope:
            gradients, loss, _ = self._run_pass(batch, weights, scope)
        self._check_read(gradients, previous_gradients, (first, scope))
        gradients = [
            ops.zeros_like(old) if new is None and old is not None else new
            for new, old in zip(gradients, previous_gradients)
        ]
        return loss, gradients

    def _run_pass(self, batch, weights, scope):
        """Differentiates the loss of a batch at the given weights.

        Differentiation is within the scope, since it may run layers again.
        """

        def scaled_loss(weights):
            scope.substitute(self.trainable_weights, weights)
            loss, y_pred = self._forward(*batch)
            scaled_loss = self.optimizer.scale_loss(loss)
            scope.end_forward()
            self._check_unassigned(scope)
            return scaled_loss, (loss, y_pred, scope.results())

        gradients, (loss, y_pred, scope.left) = self._differentiate(
            scaled_loss, weights
        )
        return gradients, ops.stop_gradient(loss), y_pred

    def _begins_at_the_weights(self):
        own = type(self).initial_perturbation
        return own is AMPTrainer.initial_perturbation

    def _is_perturbed(self):
        """Returns a bool for each trainable weight.

        Weights that take their gradient for their new value are left out.
        """
        chosen = [
            _matches(self.perturb, w) and not w.overwrite_with_gradient
            for w in self.trainable_weights
        ]
        if not any(chosen):
            paths = [w.path for w in self.trainable_weights]
            raise ValueError(
                "`perturb` must select at least one of the trainable "
                f"variables, {paths}. Received: perturb={self.perturb!r}"
            )
        return chosen

    def _of_perturbed(self, tensors):
        """Returns those of the weights that are perturbed."""
        return [t for t, is_in in zip(tensors, self._is_perturbed()) if is_in]

    def _perturbed_variables(self):
        return self._of_perturbed(
            [ops.stop_gradient(w.value) for w in self.trainable_weights]
        )

    def _perturbed_weights(self, perturbation):
        """Returns the values of all trainable weights, + perturbation."""
        perturbed = self._arithmetic.add(
            perturbation, self._perturbed_variables()
        )
        perturbed = iter(perturbed)
        return [
            next(perturbed) if is_in else w.value
            for w, is_in in zip(self.trainable_weights, self._is_perturbed())
        ]

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

    def _is_number(self):
        """Returns a function that says if a variable belongs to a metric."""
        numbers = {id(variable) for variable in self.metrics_variables}
        return lambda variable: id(variable) in numbers

    def _radius(self):
        return ops.convert_to_tensor(self._epsilon.variable)

    def _network(self):
        """Returns what a pass calls."""
        return self

    def _forward(self, *batch):
        # A model or a loss may change containers and arrays in place.
        x, y, sample_weight = map(_copied, batch)
        network = self._network()
        if self._call_has_training_arg:
            y_pred = network(x, training=True)
        else:
            y_pred = network(x)
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

        They are those of the perturbed variables, in at least float32, freed
        of the optimizer's loss scale, summed over the replicas, and clipped if
        asked for.
        """
        gradients = [
            ops.zeros(w.shape, w.dtype) if g is None else g
            for w, g in zip(self.trainable_weights, gradients)
        ]
        gradients = self._arithmetic.widen(self._of_perturbed(gradients))
        gradients = self._without_scale(self._of_global_batch(gradients))
        if self.inner_clipnorm is None:
            return gradients
        return self._arithmetic.project(gradients, self.inner_clipnorm)

    def _without_scale(self, gradients):
        scale = self.optimizer.scale_loss(1.0)
        if isinstance(scale, float):
            return gradients if scale == 1.0 else [g / scale for g in gradients]
        return [g / ops.cast(scale, g.dtype) for g in gradients]

    def _check_read(self, gradients, previous_gradients, scopes):
        """Raises if a variable has a gradient that bypasses the scopes."""
        bypassed = [
            w.path
            for w, new, old in zip(
                self.trainable_weights, gradients, previous_gradients
            )
            if new is None
            and old is not None
            and not any(scope.has_read(w) for scope in scopes)
        ]
        if bypassed:
            raise ValueError(
                "AMP cannot perturb a variable that its layer does not read "
                "as a Keras variable. Leave it out by `perturb` or set "
                "`trainable=False` on that layer. "
                f"Received: variables {bypassed}"
            )

    def _check_unassigned(self, scope):
        assigned = [
            w.path
            for w in scope.assigned
            if scope.is_substituted(w) and not w.overwrite_with_gradient
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
            loss = self._or_nan(loss, finite)
        self._loss_tracker.update_state(loss, sample_weight=_batch_size(x))

    def _or_nan(self, loss, finite):
        """Returns the loss, or NaN if the step is not finite."""
        return loss + ops.cast(_nan_unless(finite), loss.dtype)

    def _track_perturbation(
        self, loss, perturbed_loss, perturbation, epsilon, x, finite
    ):
        """Updates the perturbation's metrics and returns their results."""
        if not self._perturbation_metrics:
            return {}
        values = {
            "perturbed_loss": perturbed_loss * self._num_replicas(),
            "sharpness": (perturbed_loss - loss) * self._num_replicas(),
            "perturbation_norm": l2_norm(perturbation),
            "perturbation_clipped": clipped_share(
                perturbation, epsilon, self.norm
            ),
        }
        weight = ops.cast(_batch_size(x), "float32")
        fill = _nan_unless(finite)
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
        self._apply_gradients(self._if_finite(gradients, finite))

    def _if_finite(self, gradients, finite):
        """Returns the gradients, or what changes no weight if not finite."""
        fill = _nan_unless(finite) if self._skips_non_finite_steps() else 0.0
        return [
            g
            if g is None
            else ops.where(finite, g, _without_effect(w, g, fill))
            for w, g in zip(self.trainable_weights, gradients)
        ]

    def _skips_non_finite_steps(self):
        return isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer)

    def _check_strategy(self):
        """Raises if the active distribution cannot train a Keras model."""

    def _all_finite(self, tensors):
        return self._arithmetic.all_finite(
            [t for t in tensors if t is not None]
        )

    def _of_global_batch(self, gradients):
        return gradients

    def _num_replicas(self):
        return 1


def _copied(structure):
    """Returns a structure in new containers, with its own arrays."""
    if structure is None or ops.is_tensor(structure):
        return structure
    return keras.tree.map_structure(
        lambda t: t if ops.is_tensor(t) else copy.copy(t), structure
    )


def _batch_size(x):
    return ops.shape(next(i for i in keras.tree.flatten(x) if i is not None))[0]


def _matches(perturb, variable):
    if perturb is None:
        return True
    if callable(perturb):
        return perturb(variable)
    return re.search(perturb, variable.path) is not None


def _nan_unless(finite):
    """Returns 0 or the root of -1: debuggers see a NaN only if there is one."""
    return ops.sqrt(ops.cast(finite, "float32") - 1.0)


def _without_effect(variable, gradient, fill):
    if variable.overwrite_with_gradient:
        return variable.value
    return ops.cast(fill, gradient.dtype)
