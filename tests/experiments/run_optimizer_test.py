"""`--optimizer`: what it builds, and what it takes."""

import re

import keras
import numpy as np
import pytest

from amp_keras.errors import AMPKerasError
from amp_keras.experiments.config import TrainingConfig
from amp_keras.experiments.defaults import resolved
from amp_keras.experiments.optimizer import build_optimizer


def adamw(**changes):
    return TrainingConfig(
        optimizer="adamw", epsilon=0.0, warmup_epochs=0, **changes
    )


def test_first_step_of_adamw_decays_kernels_and_goes_by_the_sign():
    """Its moments are then those of the gradient, and their ratio a sign."""
    optimizer = build_optimizer(
        adamw(learning_rate=0.5, weight_decay=0.1, clipnorm=50.0, ema=0.9),
        steps_per_epoch=10,
    )
    assert (optimizer.global_clipnorm, optimizer.ema_momentum) == (50.0, 0.9)
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    for weight in network.weights:
        weight.assign(keras.ops.ones(weight.shape))
    signs = [np.array([[1, -1], [-1, 1]]), np.array([1, -1])]
    gradients = [keras.ops.convert_to_tensor(3.0 * sign) for sign in signs]
    optimizer.apply(gradients, network.trainable_weights)
    for weight, sign in zip(network.weights, signs, strict=True):
        decayed = 0.95 if weight.path.endswith("kernel") else 1.0
        expected = decayed - 0.5 * sign
        np.testing.assert_allclose(weight.numpy(), expected, rtol=1e-5)


def test_adamw_without_decay_takes_the_step_alone():
    optimizer = build_optimizer(adamw(learning_rate=0.5, weight_decay=0.0), 10)
    weight = keras.Variable(np.ones(2, "float32"))
    optimizer.apply([keras.ops.convert_to_tensor([2.0, -2.0])], [weight])
    np.testing.assert_allclose(weight.numpy(), [0.5, 1.5], rtol=1e-5)


@pytest.mark.parametrize(
    "name, given, expected",
    [
        ("sgd", None, 0.1),
        ("adamw", None, 0.001),
        ("adamw", 0.1, 0.1),
        ("adamw", 0.0, 0.0),
    ],
)
def test_learning_rate_that_is_not_given_is_that_of_the_optimizer(
    name, given, expected
):
    config = TrainingConfig(
        optimizer=name, learning_rate=given, warmup_epochs=0
    )
    assert resolved(config)[0].learning_rate == expected
    rate = build_optimizer(config, steps_per_epoch=10).learning_rate
    assert float(rate) == pytest.approx(expected)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"l2": 0.1}, "--l2 must be 0, its.*adamw.*Received: --l2=0.1"),
        (
            {"momentum": 0.8},
            "--momentum must be 0.9,.*Received: --momentum=0.8",
        ),
        ({"momentum": 0.0}, "Received: --momentum=0$"),
        ({"nesterov": False}, "--nesterov must be true,.*--nesterov=false"),
    ],
)
def test_what_is_of_sgd_is_refused_with_adamw(changes, message):
    with pytest.raises(AMPKerasError) as error:
        build_optimizer(adamw(**changes), steps_per_epoch=10)
    assert re.search(message, str(error.value))
