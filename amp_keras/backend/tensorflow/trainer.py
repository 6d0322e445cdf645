"""The training step of AMP with `tf.GradientTape`."""

import contextlib

import keras
import tensorflow as tf
from keras import ops

from amp_keras.backend.tensorflow.gradients import differentiate
from amp_keras.pass_scope import PassScope
from amp_keras.trainer import AMPTrainer


class _LiveScope(PassScope):
    """Assigns some variables at once, also within a loop of a graph.

    The result of an assignment within a loop cannot leave it by a scope.
    """

    def __init__(self, values=()):
        super().__init__(values)
        self._graph = tf.compat.v1.get_default_graph()

    def is_in_loop(self):
        if tf.executing_eagerly():
            return False
        return tf.compat.v1.get_default_graph() is not self._graph

    def assign_now(self, variable, value):
        with self.suspended():
            variable.assign(value)

    @contextlib.contextmanager
    def suspended(self):
        self.__exit__(None, None, None)
        try:
            yield
        finally:
            self.__enter__()


class _LastingScope(_LiveScope):
    """Its assignments reach the variables at once.

    Args:
        start: List of tuples, variables and their values at the beginning.

    Attributes:
        start: The same, and those variables that it assigned beside.
    """

    def __init__(self, start):
        super().__init__()
        self.start = list(start)
        self._assigned_in_loops = []

    def add_update(self, update):
        variable, value = update
        if self.is_substituted(variable):
            super().add_update(update)
            return
        self._note_start(variable)
        self.note_assigned(variable)
        self.assign_now(variable, value)

    def is_assigned_in_loop(self, variable):
        return any(variable is v for v in self._assigned_in_loops)

    @contextlib.contextmanager
    def assigned_in_loops_put_back(self):
        """A scope that gives them their first values, and then the last."""
        changed = [(v, s) for v, s in self.start if self.is_assigned_in_loop(v)]
        ends = [tf.convert_to_tensor(v) for v, _ in changed]
        for variable, start in changed:
            variable.assign(start)
        yield
        for (variable, _), end in zip(changed, ends):
            variable.assign(end)

    def _note_start(self, variable):
        known = any(variable is v for v, _ in self.start)
        if self.is_in_loop():
            if not known:
                raise ValueError(
                    "AMP cannot give all passes of a step the same noise "
                    "where a variable that no layer owns is assigned within a "
                    "loop. Make the `keras.random.SeedGenerator` an attribute "
                    f"of its layer. Received: variable {variable.path}"
                )
            if not self.is_assigned_in_loop(variable):
                self._assigned_in_loops.append(variable)
        elif not known:
            with self.suspended():
                self.start.append((variable, tf.convert_to_tensor(variable)))


class _RepeatingScope(_LiveScope):
    """Begins as the first pass did; only what it assigns in loops is live."""

    def __init__(self, first):
        super().__init__(
            [(v, s) for v, s in first.start if not first.is_assigned_in_loop(v)]
        )
        self._first = first

    def add_update(self, update):
        variable, value = update
        if self._first.is_assigned_in_loop(variable):
            self.assign_now(variable, value)
        else:
            super().add_update(update)


class TensorFlowTrainer(AMPTrainer):
    """`AMPTrainer` on the TensorFlow backend."""

    _differentiate = staticmethod(differentiate)

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

    def _first_scope(self):
        return _LastingScope(_values_of(self._state_variables()))

    @contextlib.contextmanager
    def _repeating_scope(self, first):
        with first.assigned_in_loops_put_back():
            with _RepeatingScope(first) as scope:
                yield scope

    @contextlib.contextmanager
    def _last_scope(self, first):
        """All it assigns is live; then the numbers get their values back."""
        is_number = self._is_number()
        state = [(v, start) for v, start in first.start if not is_number(v)]
        numbers = _values_of(self.metrics_variables)
        for variable, start in state:
            if first.has_assigned(variable):
                variable.assign(start)
        with _LastingScope(state + numbers) as scope:
            yield scope
        for variable, value in numbers:
            if scope.has_assigned(variable):
                variable.assign(value)

    def _run_pass(self, batch, weights, scope):
        results = super()._run_pass(batch, weights, scope)
        if scope.recomputed:
            paths = dict.fromkeys(w.path for w in scope.recomputed)
            raise ValueError(
                "AMP cannot perturb a layer that is computed again while the "
                "loss is differentiated (rematerialization: "
                "`keras.RematScope`, `keras.remat`) on the TensorFlow backend. "
                "It can on JAX and PyTorch. "
                f"Received: layers with the variables {list(paths)}"
            )
        return results

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


def _values_of(variables):
    """Returns tuples of a variable and the value that it has now."""
    return [(v, tf.convert_to_tensor(v)) for v in variables]


def _sum_over_replicas(tensors):
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return tensors
    context = tf.distribute.get_replica_context()
    present = [t for t in tensors if t is not None]
    summed = iter(context.all_reduce(tf.distribute.ReduceOp.SUM, present))
    return [t if t is None else next(summed) for t in tensors]
