"""The training step of AMP with `jax.grad`."""

import itertools

import keras

from amp_keras.backend.jax.gradients import differentiate
from amp_keras.pass_scope import PassScope
from amp_keras.trainer import AMPTrainer


class _LastingScope(PassScope):
    """What it assigns reaches the variables when it ends, if it is to last.

    Args:
        start: List of tuples, the variables and their values at the beginning.
        lasts: Function of a variable that returns a bool. Defaults to all.
    """

    def __init__(self, start, lasts=lambda variable: True):
        super().__init__(start)
        self.start = start
        self._lasts = lasts

    def results(self):
        return [self.value_of(variable) for variable in self._lasting()]

    def __exit__(self, *exception):
        super().__exit__(*exception)
        for variable, value in zip(self._lasting(), self.left):
            variable.assign(value)

    def _lasting(self):
        changed = [v for v in self.assigned if not self.is_substituted(v)]
        return list(filter(self._lasts, changed))


class JAXTrainer(AMPTrainer):
    """`AMPTrainer` on the JAX backend.

    The state that Keras passes to the step is put in the place of the
    variables by a `keras.StatelessScope`, in which the step reads and assigns
    them as it does on the other backends.
    """

    _differentiate = staticmethod(differentiate)

    @property
    def non_trainable_variables(self):
        """Has the variable of epsilon too, for Keras to pass it to the step."""
        variables = super().non_trainable_variables
        epsilon = getattr(self, "_epsilon", None)
        return variables if epsilon is None else [*variables, epsilon.variable]

    def get_state_tree(self, value_format="backend_tensor"):
        tree = super().get_state_tree(value_format)
        branch = tree["non_trainable_variables"]
        *scopes, name = self._epsilon.variable.path.split("/")
        for scope in scopes:
            branch = branch[scope]
        del branch[name]
        return tree

    def set_state_tree(self, state_tree):
        super().set_state_tree(state_tree)
        self._epsilon.refresh()

    def train_step(self, state, data):
        self._check_synchronized()
        self._check_stateless()
        if not self._perturbs():
            logs, state = super().train_step(state, data)
            return self._logs_without_perturbation(logs), state
        variables = self._passed_variables()
        values = zip(itertools.chain(*variables), itertools.chain(*state))
        with keras.StatelessScope(values) as scope:
            logs = self._amp_step(data)
        return logs, tuple(
            [scope.get_current_value(v) for v in group] for group in variables
        )

    def _passed_variables(self):
        """The lists of variables whose values Keras passes to the step."""
        return (
            self.trainable_variables,
            self.non_trainable_variables,
            self.optimizer.variables,
            self.metrics_variables,
        )

    def _first_scope(self):
        _, *others = self._passed_variables()
        start = [(v, v.value) for v in itertools.chain(*others)]
        if self._inner_stride == 1:
            return _LastingScope(start)
        return _LastingScope(start, lasts=self._is_number())

    def _repeating_scope(self, first):
        return PassScope(first.start)

    def _last_scope(self, first):
        is_number = self._is_number()
        return _LastingScope(first.start, lambda v: not is_number(v))

    def _apply_gradients(self, gradients):
        """Updates weights and optimizer, whose conditionals are stateless."""
        optimizer_variables = self.optimizer.variables
        weights, state = self.optimizer.stateless_apply(
            [v.value for v in optimizer_variables],
            gradients,
            [w.value for w in self.trainable_weights],
        )
        for variable, value in zip(self.trainable_weights, weights):
            variable.assign(value)
        for variable, value in zip(optimizer_variables, state):
            variable.assign(value)

    def _check_synchronized(self):
        distribution = keras.distribution.distribution()
        if distribution is not None and not self.synchronize_perturbation:
            raise ValueError(
                "On the JAX backend a step sees the whole batch at once, and "
                "replicas have one perturbation. For one on each replica use "
                "`tf.distribute.MirroredStrategy`. "
                "Received: synchronize_perturbation=False"
            )

    def _check_stateless(self):
        stateful = [
            layer.name
            for layer in self._flatten_layers()
            if isinstance(layer, keras.layers.RNN) and layer.stateful
        ]
        if stateful:
            raise ValueError(
                "On the JAX backend Keras forgets the states of stateful "
                "layers after each batch. Train them on TensorFlow or "
                f"PyTorch, or with `stateful=False`. Received: stateful layers "
                f"{stateful}"
            )
