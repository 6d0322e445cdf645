"""One step of `AMPModel` and of brute force, from the same start."""

import gradients
import keras
import numpy as np
import reference

import amp_keras

LEARNING_RATE = 0.1


class OneStep:
    """A network on a batch, with targets and weights for each example.

    Args:
        network: A `keras.Model`, built or not.
        x: Structure of NumPy arrays, a batch of inputs.
    """

    def __init__(self, network, x):
        self.network, self.x = network, _tensors(x)
        outputs = keras.tree.flatten(_forward(network, self.x))
        self.y = [_target_for(output) for output in outputs]
        self.sample_weight = np.linspace(
            0.5, 2.0, len(self.y[0]), dtype=self.y[0].dtype
        )
        weights = network.trainable_variables
        self.num_weights = len(weights)
        self.variables = [*weights, *gradients.state_variables(network)]
        self.start = self._values()

    def by_brute_force(self, **arguments):
        """Takes the step by plain SGD on squares; `reference.py` takes it.

        Args:
            arguments: Of `AMPModel`: `epsilon`, `inner_lr`, `inner_iters`,
                `norm` and, for its `inner_fraction`, `inner_stride`.

        Returns:
            A tuple: the loss, and the values of all variables after the step.
        """
        self._go_back()
        loss = reference.amp_sgd_step(
            self.network, self._loss, lr=LEARNING_RATE, **arguments
        )
        return loss, self._values()

    def by_amp_model(self, run_eagerly=False, inner_stride=1, **arguments):
        """As `by_brute_force`, by `train_on_batch` of an `AMPModel`."""
        self._go_back()
        model = amp_keras.AMPModel(
            self.network, inner_fraction=1 / inner_stride, **arguments
        )
        model.compile(
            keras.optimizers.SGD(LEARNING_RATE),
            loss="mse",
            run_eagerly=run_eagerly,
        )
        targets = self.y if len(self.y) > 1 else self.y[0]
        keras.utils.set_random_seed(reference.SEED)
        logs = model.train_on_batch(
            self.x, targets, self.sample_weight, return_dict=True
        )
        return float(logs["loss"]), self._values()

    def by_plain_sgd(self):
        return self.by_brute_force(
            epsilon=0.0, inner_lr=0.0, inner_iters=0, norm="global"
        )

    def relative_difference(self, values, others):
        """Between two changes, the larger of those of weights and of state."""
        weights, state = slice(self.num_weights), slice(self.num_weights, None)
        return max(
            _relative_difference(self.start[part], values[part], others[part])
            for part in (weights, state)
        )

    def _loss(self, stride=1):
        """Keras' mean squared error with sample weights, and added losses."""
        x, y, sample_weight = keras.tree.map_structure(
            lambda t: keras.ops.convert_to_tensor(np.asarray(t)[::stride]),
            (self.x, self.y, self.sample_weight),
        )
        outputs = keras.tree.flatten(_forward(self.network, x))
        total = sum(
            keras.ops.mean(
                sample_weight * keras.ops.mean((target - output) ** 2, axis=-1)
            )
            for target, output in zip(y, outputs, strict=True)
        )
        return total + sum(self.network.losses)

    def _values(self):
        return [variable.numpy() for variable in self.variables]

    def _go_back(self):
        for variable, value in zip(self.variables, self.start):
            variable.assign(value)


def _relative_difference(start, values, others):
    change = np.linalg.norm(_flat(values) - _flat(start))
    difference = np.linalg.norm(_flat(others) - _flat(values))
    return float(difference / change) if difference > 0.0 else 0.0


def _forward(network, x):
    """The call that `fit` makes."""
    if network._call_has_training_arg:
        return network(x, training=True)
    return network(x)


def _target_for(output):
    rng = np.random.default_rng(7)
    target = rng.normal(size=output.shape)
    return target.astype(keras.backend.standardize_dtype(output.dtype))


def _tensors(structure):
    return keras.tree.map_structure(keras.ops.convert_to_tensor, structure)


def _flat(arrays):
    return np.concatenate(
        [np.ravel(a).astype("float64") for a in [*arrays, []]]
    )
