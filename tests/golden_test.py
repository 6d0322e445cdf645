"""Files of an earlier version, in which epsilon was a weight, are read."""

import pathlib

import keras
import numpy as np
import pytest
from keras import layers

import amp_keras

FOLDER = pathlib.Path(__file__).parent / "golden" / "model"
ARGUMENTS = {
    "epsilon": 0.25,
    "inner_lr": 2.0,
    "inner_iters": 2,
    "norm": "per_variable",
}


def sequential():
    return keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, activation="tanh"),
            layers.BatchNormalization(),
            layers.Dense(2),
        ]
    )


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(4, activation="tanh")
        self.out = layers.Dense(2)

    def call(self, inputs):
        return self.out(self.dense(inputs))


def subclassed():
    network = Subclassed()
    network(np.zeros((1, 3)))
    return network


@pytest.fixture(scope="module")
def expected():
    return np.load(FOLDER / "expected.npz")


def assert_weights(model, expected, name, atol=0.0):
    names = [n for n in expected if n.rpartition("_")[0] == name]
    for i, weight in enumerate(model.model.get_weights()):
        np.testing.assert_allclose(weight, expected[f"{name}_{i}"], atol=atol)
    assert len(names) == len(model.weights)


def assert_goes_on(model, expected, name):
    """With the momentum, or the moments, and with the epsilon."""
    assert_weights(model, expected, name)
    model.train_on_batch(expected["x"], expected["y"])
    assert_weights(model, expected, f"{name}_next", atol=1e-5)


def test_saved_model_is_read(expected):
    model = keras.models.load_model(FOLDER / "sequential.keras")
    assert {name: getattr(model, name) for name in ARGUMENTS} == ARGUMENTS
    assert_goes_on(model, expected, "sequential")


def test_weights_of_a_saved_model_are_read(expected):
    model = amp_keras.AMPModel(sequential(), epsilon=0.5)
    model.load_weights(FOLDER / "sequential.keras")
    assert_weights(model, expected, "sequential")
    assert model.epsilon == 0.5


@pytest.mark.parametrize(
    "network, optimizer",
    [
        (sequential, lambda: keras.optimizers.SGD(0.1, momentum=0.9)),
        (subclassed, lambda: keras.optimizers.Adam(0.1)),
    ],
)
def test_weights_file_is_read_with_the_optimizer(network, optimizer, expected):
    name = network.__name__
    model = amp_keras.AMPModel(network(), **ARGUMENTS)
    model.compile(optimizer(), "mse")
    model.optimizer.build(model.trainable_variables)
    model.load_weights(FOLDER / f"{name}.weights.h5")
    assert_goes_on(model, expected, name)


def test_weights_file_changes_no_epsilon():
    model = amp_keras.AMPModel(sequential(), epsilon=0.5)
    model.load_weights(FOLDER / "sequential.weights.h5")
    assert model.epsilon == 0.5


def test_weights_file_of_another_network_is_refused():
    other = keras.Sequential([keras.Input((3,)), layers.Dense(5)])
    model = amp_keras.AMPModel(other, epsilon=0.5)
    with pytest.raises(ValueError, match="could not be loaded"):
        model.load_weights(FOLDER / "sequential.weights.h5")
