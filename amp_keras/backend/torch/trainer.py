"""The training step of AMP with `torch.autograd.grad`."""

import contextlib

import keras
import torch

from amp_keras.backend.torch import perturbation
from amp_keras.backend.torch.gradients import differentiate
from amp_keras.pass_scope import PassScope
from amp_keras.trainer import AMPTrainer


class _LastingScope(PassScope):
    """What it assigns reaches the variables when it ends, if it is to last.

    Differentiation, which is within it, may need the values from before.

    Args:
        values: List of tuples, variables and the values that they begin with.
        lasts: Function of a variable that returns a bool.

    Attributes:
        start: List of tuples, the variables that it assigned and the values
            that they had.
        noise: The states of torch's own generators at its beginning, from
            which Dropout may draw.
    """

    def __init__(self, values=(), lasts=lambda variable: True):
        super().__init__(values)
        self._lasts = lasts

    def __enter__(self):
        self.noise = torch.get_rng_state(), torch.cuda.get_rng_state_all()
        return super().__enter__()

    def __exit__(self, *exception):
        super().__exit__(*exception)
        changed = [v for v in self.assigned if not self.is_substituted(v)]
        self.start = [(v, v.value.clone()) for v in changed]
        for variable in filter(self._lasts, changed):
            variable.assign(self.value_of(variable))


class TorchTrainer(AMPTrainer):
    """`AMPTrainer` on the PyTorch backend."""

    _differentiate = staticmethod(differentiate)
    _arithmetic = perturbation

    def train_step(self, data):
        if not self._perturbs():
            logs = super().train_step(data)
            return self._logs_without_perturbation(logs)
        with self._weights_listed():
            return self._amp_step(data)

    @property
    def trainable_weights(self):
        """Is made once for a step, since Keras looks through all layers."""
        listed = self.__dict__.get("_listed")
        return super().trainable_weights if listed is None else listed

    @contextlib.contextmanager
    def _weights_listed(self):
        # Keras would track a list that is an attribute.
        self.__dict__["_listed"] = self.trainable_weights
        try:
            yield
        finally:
            del self.__dict__["_listed"]

    @contextlib.contextmanager
    def _first_scope(self):
        if self._inner_stride == 1:
            with _LastingScope() as scope:
                yield scope
            return
        with self._buffers_restored(), _noise_kept():
            with _LastingScope(lasts=self._is_number()) as scope:
                yield scope

    @contextlib.contextmanager
    def _repeating_scope(self, first):
        with self._buffers_restored(), _noise_kept():
            torch.set_rng_state(first.noise[0])
            torch.cuda.set_rng_state_all(first.noise[1])
            with PassScope(first.start) as scope:
                yield scope

    def _last_scope(self, first):
        is_number = self._is_number()
        return _LastingScope(first.start, lambda v: not is_number(v))

    def _forward(self, x, y, sample_weight):
        batch = keras.tree.flatten((x, y, sample_weight))
        tensors = [t for t in batch if torch.is_tensor(t)]
        versions = [t._version for t in tensors]
        result = super()._forward(x, y, sample_weight)
        if [t._version for t in tensors] != versions:
            raise ValueError(
                "All passes of a step must see the same batch, but the model "
                "or the loss changed it in place, as `x /= 255` does. Write "
                "`x = x / 255`."
            )
        return result

    @contextlib.contextmanager
    def _buffers_restored(self):
        """A scope after which wrapped torch modules have the same buffers."""
        buffers = [
            buffer
            for layer in self._flatten_layers()
            if isinstance(layer, keras.layers.TorchModuleWrapper)
            for buffer in layer.module.buffers()
        ]
        values = [buffer.clone() for buffer in buffers]
        try:
            yield
        finally:
            for buffer, value in zip(buffers, values):
                buffer.copy_(value)

    def _if_finite(self, gradients, finite):
        # A CPU knows without waiting; a graph must hold either case.
        is_known = finite.device.type == "cpu"
        if is_known and not torch.compiler.is_compiling() and finite:
            return gradients
        return super()._if_finite(gradients, finite)

    def _apply_gradients(self, gradients):
        with torch.no_grad():
            self.optimizer.apply(gradients, self.trainable_weights)


def _noise_kept():
    """A scope after which torch draws as if nothing had been drawn in it."""
    return torch.random.fork_rng(devices=range(torch.cuda.device_count()))
