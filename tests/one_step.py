"""One step of `AMPModel` and of brute force, from the same start."""

import dataclasses

import keras
import numpy as np
import reference

import amp_keras

LEARNING_RATE = 0.1


@dataclasses.dataclass
class Steps:
    """Losses and values of variables, before and after both steps."""

    start: list
    expected: list
    actual: list
    expected_loss: float
    actual_loss: float

    def relative_difference(self):
        """Between the two changes of all variables, taken as one vector."""
        change = _flat(self.expected) - _flat(self.start)
        difference = _flat(self.actual) - _flat(self.expected)
        return float(np.linalg.norm(difference) / np.linalg.norm(change))


def take(network, x, **arguments):
    """Takes one step in both ways on the batch `x`, by SGD on squares.

    Args:
        network: A `keras.Model`, built or not.
        x: Structure of NumPy arrays, a batch of inputs.
        arguments: Of `AMPModel`: `epsilon`, `inner_lr`, `inner_iters`, `norm`.
    """
    x = _tensors(x)
    outputs = keras.tree.flatten(_forward(network, x))
    y = [_target_for(output) for output in outputs]
    sample_weight = np.linspace(0.5, 2.0, len(y[0]), dtype=y[0].dtype)
    variables = network.trainable_variables
    variables = [*variables, *reference.state_variables(network)]
    start = [v.numpy() for v in variables]
    expected_loss = reference.amp_sgd_step(
        network,
        lambda: _weighted_squares(network, x, *_tensors((y, sample_weight))),
        lr=LEARNING_RATE,
        **arguments,
    )
    expected = [v.numpy() for v in variables]

    for variable, value in zip(variables, start):
        variable.assign(value)
    model = amp_keras.AMPModel(network, **arguments)
    model.compile(keras.optimizers.SGD(LEARNING_RATE), loss="mse")
    targets = y if len(y) > 1 else y[0]
    keras.utils.set_random_seed(reference.SEED)
    logs = model.train_on_batch(x, targets, sample_weight, return_dict=True)
    actual = [v.numpy() for v in variables]
    return Steps(start, expected, actual, expected_loss, float(logs["loss"]))


def _forward(network, x):
    """The call that `fit` makes."""
    if network._call_has_training_arg:
        return network(x, training=True)
    return network(x)


def _weighted_squares(network, x, y, sample_weight):
    """Keras' mean squared error with sample weights, and the added losses."""
    outputs = keras.tree.flatten(_forward(network, x))
    total = sum(
        keras.ops.mean(
            sample_weight * keras.ops.mean((target - output) ** 2, axis=-1)
        )
        for target, output in zip(y, outputs, strict=True)
    )
    return total + sum(network.losses)


def _target_for(output):
    rng = np.random.default_rng(7)
    target = rng.normal(size=output.shape)
    return target.astype(keras.backend.standardize_dtype(output.dtype))


def _tensors(structure):
    return keras.tree.map_structure(keras.ops.convert_to_tensor, structure)


def _flat(arrays):
    return np.concatenate([np.ravel(a).astype("float64") for a in arrays])
