"""The addresses of variables: places in the model, never names."""

import keras
import numpy as np
import pytest

from amp_keras import AMPModel
from amp_keras.experiments import model_state


def network():
    inputs = keras.Input((4,))
    x = keras.layers.Dense(3)(inputs)
    x = keras.layers.Dropout(0.5)(x)
    block = keras.Sequential(
        [keras.Input((3,)), keras.layers.BatchNormalization()]
    )
    x = block(x)
    x = keras.layers.Dense(2)(x)
    return keras.Model(inputs, x)


def compiled(network):
    model = AMPModel(network, epsilon=0.1)
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9), "mse", metrics=["mae"]
    )
    model.train_on_batch(np.ones((2, 4)), np.zeros((2, 2)))
    return model


def test_addresses_are_layers_by_class_and_number():
    made = network()
    found = model_state.network_variables(made)
    dense, dropout, block, last = made.layers[1:]
    normalization = block.layers[0]
    expected = {
        "network/dense/0": dense.kernel,
        "network/dense/1": dense.bias,
        "network/dropout/0": dropout.seed_generator.state,
        "network/sequential/batch_normalization/0": normalization.gamma,
        "network/sequential/batch_normalization/1": normalization.beta,
        "network/sequential/batch_normalization/2": normalization.moving_mean,
        "network/sequential/batch_normalization/3": (
            normalization.moving_variance
        ),
        "network/dense_1/0": last.kernel,
        "network/dense_1/1": last.bias,
    }
    if keras.config.backend() == "torch":
        found.pop("network/dropout/0", None)
        expected.pop("network/dropout/0")
    assert found.keys() == expected.keys()
    for address, variable in expected.items():
        assert found[address] is variable


def test_addresses_are_those_of_a_network_built_before():
    models = [compiled(network()) for _ in range(2)]
    paths = [[v.path for v in model.model.variables] for model in models]
    assert paths[0] != paths[1]
    addresses = [list(model_state.variables(model)) for model in models]
    assert addresses[0] == addresses[1]
    assert "optimizer/0" in addresses[0]
    assert "metrics/mean/0" in addresses[0]


def test_no_variable_of_the_network_is_left_out():
    model = compiled(network())
    found = [id(v) for v in model_state.variables(model).values()]
    assert len(set(found)) == len(found)
    wanted = [
        *model.model.variables,
        *model.optimizer.variables,
        *model.metrics_variables,
    ]
    assert {id(v) for v in wanted} == set(found)


def test_a_layer_that_is_used_twice_is_there_once():
    inputs = keras.Input((3,))
    shared = keras.layers.Dense(3)
    made = keras.Model(inputs, shared(shared(inputs)))
    assert list(model_state.network_variables(made)) == [
        "network/dense/0",
        "network/dense/1",
    ]


def test_values_are_taken_from_one_network_and_given_to_another():
    first, second = network(), network()
    values = model_state.values(model_state.network_variables(first))
    model_state.assign(model_state.network_variables(second), values)
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"network/dense/0": np.zeros((9, 3))},
            r"\(4, 3\). Received: \(9, 3\)",
        ),
        ({"network/dense/7": np.zeros(1)}, r"shape None. Received: \(1,\)"),
        ({"network/dense/0": None}, r"\(4, 3\). Received: None"),
    ],
)
def test_values_of_another_network_are_refused_before_any_is_given(
    change, message
):
    variables = model_state.network_variables(network())
    before = model_state.values(variables)
    values = {a: np.ones_like(v) for a, v in before.items()} | change
    values = {a: v for a, v in values.items() if v is not None}
    with pytest.raises(ValueError, match=message):
        model_state.assign(variables, values)
    for address, value in model_state.values(variables).items():
        np.testing.assert_array_equal(value, before[address])
