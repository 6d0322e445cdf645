"""The values of a search, and what they mean for a run."""

import types

import keras_tuner
import pytest

from amp_keras.experiments.config import TrainingConfig
from amp_keras.search import space as space_module
from amp_keras.search.space import SearchSpace
from amp_keras.tuner.oracles import combinations


def space(search=("epsilon",), tuner="grid", max_trials=None, **changes):
    options = types.SimpleNamespace(
        search=search, tuner=tuner, max_trials=max_trials, epsilons=None
    )
    config = TrainingConfig(epsilon=0.0, **changes)
    return SearchSpace(options, config)


def values_of(made, name):
    hp = made.hyperparameters()
    return [h.values for h in hp.space if h.name == name]


def test_grid_is_as_long_as_the_trials_allow():
    assert values_of(space(max_trials=4), "epsilon") == [
        [0.0, 0.002, 0.032, 0.5]
    ]
    assert values_of(space(max_trials=4, norm="per_variable"), "epsilon") == [
        [0.0, 0.0002, 0.0032, 0.05]
    ]


@pytest.mark.parametrize("tuner", ["grid", "random"])
def test_values_lie_around_the_default_of_network_norm_and_part(
    tuner, monkeypatch
):
    """A tenth of it to 25 times as much: a default that moves, moves them."""
    defaults = {("vgg16", "per_variable", 1 / 8): 4.0}
    monkeypatch.setattr(
        space_module, "default_epsilon", lambda *of: (defaults[of], "measured")
    )
    made = space(
        tuner=tuner,
        model="vgg16",
        norm="per_variable",
        inner_fraction=1 / 8,
    )
    (values,) = values_of(made, "epsilon")
    assert (values[0], values[1], values[-1]) == (0.0, 0.4, 100.0)
    if tuner == "grid":
        assert values[2:-1] == [1.0, 2.0, 4.0, 10.0, 20.0, 40.0]


def test_grid_of_resnet20_is_around_its_default():
    (values,) = values_of(space(), "epsilon")
    assert values == [0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]


@pytest.mark.parametrize(
    "optimizer, rate, expected",
    [
        ("sgd", 0.1, [0.01, 0.02, 0.05, 0.1, 0.2, 0.5]),
        ("adamw", 0.001, [1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3]),
    ],
)
def test_learning_rates_lie_around_that_of_the_optimizer(
    optimizer, rate, expected
):
    made = space(
        search=("epsilon", "learning_rate"),
        optimizer=optimizer,
        learning_rate=rate,
    )
    assert values_of(made, "learning_rate") == [expected]


def test_other_tuners_choose_among_more_values():
    (values,) = values_of(space(tuner="random"), "epsilon")
    assert len(values) == 26


def test_each_norm_has_its_own_values():
    made = space(search=("epsilon", "norm"))
    (glob,) = values_of(made, "epsilon_global")
    (per_variable,) = values_of(made, "epsilon_per_variable")
    assert glob[0] == 0.0 and glob[1:] == pytest.approx(
        [10 * value for value in per_variable]
    )


def test_own_value_is_the_default_of_what_is_searched():
    made = space(
        search=("epsilon", "learning_rate", "inner_iters"), learning_rate=0.03
    )
    hp = made.hyperparameters()
    first = next(combinations(hp.space))
    assert first == {"epsilon": 0.0, "learning_rate": 0.03}


def test_hyperparameters_change_the_configuration_of_a_run():
    made = space(search=("epsilon", "weight_decay", "norm", "inner_lr"))
    hp = keras_tuner.HyperParameters()
    hp.values = {
        "epsilon_global": 0.05,
        "weight_decay": 0.002,
        "norm": "global",
        "inner_lr_global": 10.0,
        "tuner/epochs": 7,
    }
    assert made.config(hp) == TrainingConfig(
        epsilon=0.05, weight_decay=0.002, inner_lr=10.0, epochs=7
    )


def test_trial_of_halving_is_a_part_of_a_run_of_full_length():
    hp = keras_tuner.HyperParameters()
    hp.values = {
        "epsilon": 0.05,
        "tuner/initial_epoch": 3,
        "tuner/epochs": 7,
    }
    made = space(tuner="halving", epochs=9)
    assert made.config(hp) == TrainingConfig(epsilon=0.05, epochs=9)
    assert made.epochs(hp) == (3, 7)
    assert space(tuner="hyperband", epochs=9).epochs(hp) == (0, 7)
    del hp.values["tuner/initial_epoch"], hp.values["tuner/epochs"]
    assert space(epochs=9).epochs(hp) == (0, 9)


def test_halving_has_the_values_of_the_grid():
    assert values_of(space(tuner="halving"), "epsilon") == values_of(
        space(), "epsilon"
    )


def test_fraction_of_the_batch_is_searched():
    made = space(search=("epsilon", "inner_fraction"), inner_fraction=1 / 16)
    hp = made.hyperparameters()
    assert made.config(hp).inner_fraction == 1 / 16
    hp.values = {"epsilon": 0.05, "inner_fraction": 0.125}
    assert made.config(hp).inner_fraction == 1 / 8
    values = [v for v in hp.space if v.name == "inner_fraction"][0].values
    assert values == [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0]


def test_no_value_is_lost_where_each_norm_has_its_own():
    """keras-tuner drops those of inactive hyperparameters by their names."""
    made = space(search=("epsilon", "norm", "inner_lr"))
    hp = made.hyperparameters()
    for values in combinations(hp.space):
        hp.values = dict(values)
        hp.ensure_active_values()
        assert hp.values == values
