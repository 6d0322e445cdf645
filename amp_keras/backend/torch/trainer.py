"""The training step of AMP with `torch.autograd.grad`."""

import contextlib

import keras
import torch

from amp_keras.trainer import AMPTrainer


class TorchTrainer(AMPTrainer):
    """`AMPTrainer` on the PyTorch backend."""

    def train_step(self, data):
        if not self._perturbs():
            logs = super().train_step(data)
            return self._logs_without_perturbation(logs)
        return self._amp_step(data)

    def _clean_pass(self, batch):
        """Assigns state after differentiation, which may need its old value.

        The state before has torch's own generators too, from which Dropout may
        draw, and of the variables those that the pass changed.
        """
        noise = torch.get_rng_state(), torch.cuda.get_rng_state_all()
        weights = [w.value for w in self.trainable_weights]
        with self._substituted(weights, ()) as scope:
            loss, y_pred = self._forward(*batch)
        gradients = _gradients(self.optimizer.scale_loss(loss), weights)
        changed = self._assign_state(scope)
        return loss.detach(), y_pred, gradients, (changed, *noise)

    def _perturbed_pass(self, batch, state, perturbation):
        values, *noise = state
        weights = self._perturbed_values(perturbation)
        with self._buffers_restored(), _noise_from(*noise):
            with self._substituted(weights, values):
                loss, _ = self._forward(*batch)
            scaled_loss = self.optimizer.scale_loss(loss)
            gradients = _gradients(scaled_loss, weights)
        return loss.detach(), gradients

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

    def _assign_state(self, scope):
        """Returns the variables that a scope changed, with their old values."""
        changed = []
        for variable in [*self._state_variables(), *self.metrics_variables]:
            value = scope.get_current_value(variable)
            if value is not None:
                changed.append((variable, variable.value.clone()))
                variable.assign(value)
        return changed

    def _apply_gradients(self, gradients):
        with torch.no_grad():
            self.optimizer.apply(gradients, self.trainable_weights)


@contextlib.contextmanager
def _noise_from(cpu_state, cuda_states):
    """A scope in which torch draws as it did from these states on."""
    with torch.random.fork_rng(devices=range(len(cuda_states))):
        torch.set_rng_state(cpu_state)
        torch.cuda.set_rng_state_all(cuda_states)
        yield


def _gradients(loss, weights):
    return torch.autograd.grad(loss, weights, allow_unused=True)
