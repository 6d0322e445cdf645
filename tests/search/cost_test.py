"""What a search costs, by hand."""

import types

import keras_tuner
import pytest

from amp_keras.experiments.config import TrainingConfig
from amp_keras.search import cost
from amp_keras.search.options import SearchOptions
from amp_keras.search.space import SearchSpace

CONFIG = TrainingConfig(epsilon=0.0, epochs=8, inner_fraction=1 / 2)
EPSILONS = (0.0, 0.1, 0.2, 0.3, 0.4)


def sentence(trials, tuner, seeds=1, config=CONFIG):
    """Of trials given as epsilon, epochs done before and in the end."""
    options = SearchOptions(
        tuner=tuner, executions_per_trial=seeds, epsilons=EPSILONS
    )
    space = SearchSpace(options, config)
    oracle = keras_tuner.Oracle(hyperparameters=space.hyperparameters())
    for number, (epsilon, *epochs) in enumerate(trials):
        hp = oracle.get_space()
        names = ("tuner/initial_epoch", "tuner/epochs")
        hp.values = {"epsilon": epsilon, **dict(zip(names, epochs))}
        oracle.trials[number] = types.SimpleNamespace(hyperparameters=hp)
    return cost.sentence(oracle, space, options)


HALVING = [
    (0.0, 0, 8),
    (0.1, 0, 2),
    (0.2, 0, 2),
    (0.3, 0, 2),
    (0.4, 0, 2),
    (0.1, 2, 4),
    (0.2, 2, 4),
    (0.1, 4, 8),
]


def test_part_of_the_trials_is_shorter_and_the_grid_stands_beside():
    # 8 + 1.5 * (4 * 2 + 2 * 2 + 4) of 8, and 8 + 1.5 * 4 * 8.
    assert sentence(HALVING, "halving") == (
        "cost of the search: 4.0 plain trainings of 8 epochs; "
        "the whole grid: 7.0"
    )


def test_further_seeds_are_of_what_reaches_the_end():
    # Another 8 and 1.5 * 8.
    assert sentence(HALVING, "halving", seeds=2) == (
        "cost of the search: 6.5 plain trainings of 8 epochs; "
        "the whole grid: 14.0"
    )


@pytest.mark.parametrize("tuner", ["grid", "random", "bayesian"])
def test_trials_of_full_length_have_all_seeds(tuner):
    assert sentence([(0.0,), (0.1,)], tuner, seeds=3) == (
        "cost of the search: 7.5 plain trainings of 8 epochs"
    )


def test_hyperband_begins_each_trial_anew():
    # 2 * (8 + 1.5 * (3 + 8)) of 8.
    trials = [(0.0, 0, 8), (0.1, 0, 3), (0.1, 3, 8)]
    assert sentence(trials, "hyperband", seeds=2) == (
        "cost of the search: 6.1 plain trainings of 8 epochs"
    )
