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
        self.noise = _noise()
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
        with self._lists_kept():
            if self._perturbs():
                return self._amp_step(data)
        logs = super().train_step(data)
        return self._logs_without_perturbation(logs)

    @contextlib.contextmanager
    def _lists_kept(self):
        """A scope in which no list is made twice: Keras looks in all layers."""
        # Keras would track what is an attribute.
        self.__dict__["_lists"] = {}
        try:
            yield
        finally:
            del self.__dict__["_lists"]

    def _listed(self, name, make):
        """Returns what `make()` returned when a step first asked for it."""
        lists = self.__dict__.get("_lists")
        if lists is None:
            return make()
        if name not in lists:
            lists[name] = make()
        return lists[name]

    @property
    def trainable_weights(self):
        return self._listed(
            "weights", lambda: super(TorchTrainer, self).trainable_weights
        )

    def _is_perturbed(self):
        return self._listed("is_perturbed", super()._is_perturbed)

    def _perturbed_variables(self):
        return self._listed(
            "perturbed",
            lambda: self._of_perturbed(
                [w.value.detach() for w in self.trainable_weights]
            ),
        )

    def _first_scope(self):
        if self._inner_stride == 1:
            return _LastingScope()
        return self._first_scope_of_part()

    @contextlib.contextmanager
    def _first_scope_of_part(self):
        with self._put_back():
            with _LastingScope(lasts=self._is_number()) as scope:
                yield scope

    @contextlib.contextmanager
    def _repeating_scope(self, first):
        with self._put_back():
            _draw_from(first.noise)
            with PassScope(first.start) as scope:
                yield scope

    def _last_scope(self, first):
        is_number = self._is_number()
        return _LastingScope(first.start, lambda v: not is_number(v))

    def _network(self):
        """Is the network, unless something is to be done around it.

        Keras spends as much on a call of this model as on that of a layer.
        """
        around = (
            self._forward_pre_hooks,
            self._forward_hooks,
            self._backward_pre_hooks,
            self._backward_hooks,
            self._remat_mode,
            self.activity_regularizer,
        )
        return self if any(around) or self._has_own_call() else self.model

    def _forward(self, x, y, sample_weight):
        tensors = _tensors((x, y, sample_weight))
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
    def _put_back(self):
        """A scope that leaves torch's buffers and generators as they were."""
        buffers = [
            buffer
            for layer in self._flatten_layers()
            if isinstance(layer, keras.layers.TorchModuleWrapper)
            for buffer in layer.module.buffers()
        ]
        values, noise = [buffer.clone() for buffer in buffers], _noise()
        try:
            yield
        finally:
            _draw_from(noise)
            for buffer, value in zip(buffers, values):
                buffer.copy_(value)

    def _or_nan(self, loss, finite):
        if finite is True:
            return loss
        return super()._or_nan(loss, finite)

    def _if_finite(self, gradients, finite):
        if finite is True:
            return gradients
        return super()._if_finite(gradients, finite)

    def _apply_gradients(self, gradients):
        with torch.no_grad():
            self.optimizer.apply(gradients, self.trainable_weights)


def _tensors(batch):
    """Returns the tensors of a batch; what is one needs no search."""
    tensors = []
    for structure in batch:
        is_one = torch.is_tensor(structure)
        found = [structure] if is_one else keras.tree.flatten(structure)
        tensors += filter(torch.is_tensor, found)
    return tensors


def _noise():
    """Returns the states of torch's own generators, on the CPU and GPUs."""
    # Where no GPU is in use, to ask would take memory of one.
    in_use = torch.cuda.is_initialized()
    on_gpus = torch.cuda.get_rng_state_all() if in_use else []
    return torch.get_rng_state(), on_gpus


def _draw_from(noise):
    on_cpu, on_gpus = noise
    torch.set_rng_state(on_cpu)
    torch.cuda.set_rng_state_all(on_gpus)
