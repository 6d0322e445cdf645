"""`AMPHyperModel`, on the networks of the tests and of the registry."""

import keras
import keras_tuner
import networks
import numpy as np
import pytest

import amp_keras
from amp_keras import models
from amp_keras import tuner
from amp_keras.tuner import AMPHyperModel


def compiled_mlp():
    network = networks.plain_mlp()
    network.compile(
        keras.optimizers.SGD(0.05, momentum=0.5),
        networks.classifier_loss(),
        metrics=["accuracy"],
    )
    return network


def hyperparameters(**values):
    hp = keras_tuner.HyperParameters()
    hp.values.update(values)
    return hp


def test_network_is_wrapped_with_the_arguments_chosen():
    hyper_model = AMPHyperModel(
        compiled_mlp,
        epsilon=[0.1, 0.2],
        inner_lr=[1.0, 0.5],
        inner_iters=[1, 2],
        norm=["global", "per_variable"],
    )
    model = hyper_model.build(
        hyperparameters(
            epsilon_per_variable=0.2,
            inner_lr_per_variable=0.5,
            inner_iters_per_variable=2,
            norm="per_variable",
        )
    )
    assert isinstance(model, amp_keras.AMPModel)
    used = (model.epsilon, model.inner_lr, model.inner_iters, model.norm)
    assert used == (0.2, 0.5, 2, "per_variable")


def test_model_is_compiled_as_the_network_was():
    model = AMPHyperModel(compiled_mlp).build(hyperparameters(epsilon=0.1))
    assert float(model.optimizer.learning_rate) == pytest.approx(0.05)
    assert model.optimizer.momentum == 0.5
    x, y = networks.data()
    logs = model.evaluate(x, y, return_dict=True, verbose=0)
    logits = model.model.predict(x, verbose=0)
    accuracy = np.mean(logits.argmax(-1) == y)
    assert logs["accuracy"] == pytest.approx(accuracy)


def test_trains_as_the_wrapped_model_does():
    x, y = networks.data()
    hyper_model = AMPHyperModel(compiled_mlp, inner_lr=0.7)
    model = hyper_model.build(hyperparameters(epsilon=0.1))
    hyper_model.fit(None, model, x, y, epochs=2, shuffle=False, verbose=0)
    expected = amp_keras.AMPModel(
        networks.plain_mlp(), epsilon=0.1, inner_lr=0.7
    )
    expected.compile(
        keras.optimizers.SGD(0.05, momentum=0.5), networks.classifier_loss()
    )
    expected.fit(x, y, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


def test_zero_is_among_the_values_and_the_default():
    for epsilon in (None, [0.3, 0.1], {"global": [0.1]}):
        hp = hyperparameters()
        hyper_model = AMPHyperModel(compiled_mlp, epsilon=epsilon)
        assert hyper_model.arguments(hp)["epsilon"] == 0.0
        assert 0.0 in hp.space[0].values
    assert 0.1 in tuner.EPSILONS["global"]


def test_default_values_are_on_a_log_scale_and_a_tenth_per_variable():
    values = tuner.EPSILONS["global"]
    assert (values[0], values[1], values[-1]) == (0.0, 0.002, 0.5)
    ratios = np.divide(values[2:], values[1:-1])
    assert np.all((1.2 < ratios) & (ratios < 1.3))
    np.testing.assert_allclose(
        tuner.EPSILONS["per_variable"], np.divide(values, 10)
    )


def test_without_perturbation_nothing_else_of_amp_is_varied():
    hyper_model = AMPHyperModel(
        compiled_mlp,
        inner_lr=[1.0, 0.1],
        inner_iters=[1, 3],
        inner_fraction=[1 / 4, 1.0],
        norm=["global", "per_variable"],
    )
    hp = hyperparameters()
    arguments = hyper_model.arguments(hp)
    assert arguments == {
        "epsilon": 0.0,
        "inner_lr": 1.0,
        "inner_iters": 1,
        "inner_fraction": 0.25,
        "norm": "global",
    }
    assert hp.values == {"norm": "global", "epsilon_global": 0.0}
    per_variable = hyperparameters(norm="per_variable")
    # The smallest value but 0, which is the same with either norm.
    assert hyper_model.arguments(per_variable)["epsilon"] == 0.0002


def test_hyperparameters_of_the_build_function_are_searched_too():
    def build(hp):
        network = keras.Sequential(
            [keras.Input((8,)), keras.layers.Dense(hp.Int("units", 2, 9))]
        )
        network.compile("sgd", "mse")
        return network

    hp = hyperparameters(units=5, epsilon=0.1)
    model = AMPHyperModel(build).build(hp)
    assert model.model.output_shape == (None, 5)
    assert {h.name for h in hp.space} == {"epsilon", "units"}


def test_network_of_the_registry_is_compiled_by_a_function():
    hyper_model = AMPHyperModel(
        lambda: models.get("resnet20")((8, 8, 1), 10),
        compile=lambda model: model.compile("adam", "mse"),
    )
    model = hyper_model.build(hyperparameters(epsilon=0.1))
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    assert model.model.output_shape == (None, 10)


def test_search_with_a_tuner_of_keras_tuner(tmp_path):
    x, y = networks.data()
    search = keras_tuner.Tuner(
        oracle=tuner.GridOracle("val_loss"),
        hypermodel=AMPHyperModel(compiled_mlp, epsilon=[0.1, 0.2]),
        directory=tmp_path,
    )
    search.search(x, y, validation_data=(x, y), epochs=1, verbose=0)
    trials = list(search.oracle.trials.values())
    assert [t.hyperparameters["epsilon"] for t in trials] == [0.0, 0.1, 0.2]
    assert all(trial.status == "COMPLETED" for trial in trials)
    best = search.get_best_models()[0]
    assert best.epsilon == search.get_best_hyperparameters()[0]["epsilon"]


class BatchSizes(keras_tuner.HyperModel):
    """Tunes the size of batches, where a network cannot."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def declare_hyperparameters(self, hp):
        hp.Fixed("declared", 1)

    def build(self, hp):
        return compiled_mlp()

    def fit(self, hp, model, *args, **kwargs):
        batch_size = hp.Choice("batch_size", [16, 24])
        history = model.fit(*args, batch_size=batch_size, **kwargs)
        steps = int(model.optimizer.iterations.numpy())
        self.steps.append((model.epsilon, batch_size, steps))
        return history


@pytest.mark.parametrize("give", [lambda made: made, lambda made: made.build])
def test_hypermodel_keeps_its_fit(give, tmp_path):
    x, y = networks.data()
    wrapped = BatchSizes()
    search = keras_tuner.Tuner(
        oracle=tuner.GridOracle("val_loss"),
        hypermodel=AMPHyperModel(give(wrapped), epsilon=[0.1]),
        directory=tmp_path,
    )
    search.search(x, y, validation_data=(x, y), epochs=2, verbose=0)
    # Both sizes with both epsilons, two epochs of 48 examples.
    assert sorted(wrapped.steps) == [
        (0.0, 16, 6),
        (0.0, 24, 4),
        (0.1, 16, 6),
        (0.1, 24, 4),
    ]
    assert search.get_best_hyperparameters()[0]["declared"] == 1


def test_fit_of_a_hypermodel_may_return_a_number(tmp_path):
    class Loop(BatchSizes):
        def fit(self, hp, model, x, y, **kwargs):
            return abs(model.epsilon - 0.2)

    search = keras_tuner.Tuner(
        oracle=tuner.GridOracle(),
        hypermodel=AMPHyperModel(Loop(), epsilon=[0.1, 0.2, 0.3]),
        directory=tmp_path,
    )
    search.search(*networks.data(), verbose=0)
    assert search.get_best_hyperparameters()[0]["epsilon"] == 0.2


@pytest.mark.parametrize("build", [lambda: "mlp", compiled_mlp])
def test_what_is_no_function_is_refused(build):
    with pytest.raises(ValueError, match="`build` must be a function or a"):
        AMPHyperModel(build())


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"norm": "l1"}, "`norm` must be one of"),
        ({"epsilon": [0.0]}, "`epsilon` must be a list of floats >= 0"),
        ({"epsilon": [-0.1, 0.1]}, "`epsilon` must be a list of floats >= 0"),
        ({"inner_lr": []}, "`inner_lr` must be a value or a list"),
    ],
)
def test_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        AMPHyperModel(compiled_mlp, **arguments)


@pytest.mark.parametrize(
    "build, message",
    [
        (networks.plain_mlp, "must return a compiled model"),
        (lambda: "network", "must return the plain network"),
        (
            lambda: amp_keras.AMPModel(networks.plain_mlp(), epsilon=0.1),
            "must return the plain network",
        ),
    ],
)
def test_wrong_build_function_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        AMPHyperModel(build).build(hyperparameters())
