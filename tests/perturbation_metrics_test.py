"""`log_perturbation`: what the perturbation does, in the logs."""

import keras
import networks
import numpy as np
import pytest

import amp_keras
from amp_keras.trainer import PERTURBATION_METRICS

# At (3, 4) the loss is 12.5 and its gradient (3, 4). With inner_lr=0.1 the
# ascent leads to (3.3, 4.4), a perturbation of norm 0.5 with a loss of 15.125.
INSIDE = {
    "loss": 12.5,
    "perturbed_loss": 15.125,
    "sharpness": 2.625,
    "perturbation_norm": 0.5,
    "perturbation_clipped": 0.0,
}
# A ball of radius 0.25 cuts it to (3.15, 4.2), with a loss of 13.78125.
ON_THE_SPHERE = {
    "loss": 12.5,
    "perturbed_loss": 13.78125,
    "sharpness": 1.28125,
    "perturbation_norm": 0.25,
    "perturbation_clipped": 1.0,
}
# Balls of radius 0.35 for each leave 0.3 alone and cut 0.4: (3.3, 4.35).
ONE_OF_TWO = {
    "loss": 12.5,
    "perturbed_loss": (3.3**2 + 4.35**2) / 2,
    "sharpness": (3.3**2 + 4.35**2) / 2 - 12.5,
    "perturbation_norm": (0.3**2 + 0.35**2) ** 0.5,
    "perturbation_clipped": 0.5,
}


def scalars(**arguments):
    model = amp_keras.AMPModel(
        networks.TwoScalars(3.0, 4.0), log_perturbation=True, **arguments
    )
    model.compile(keras.optimizers.SGD(0.0), loss=networks.half_squares)
    return model


def fit(model, **arguments):
    zeros = np.zeros((10, 2))
    return model.fit(zeros, zeros, batch_size=4, verbose=0, **arguments).history


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({"epsilon": 10.0}, INSIDE),
        ({"epsilon": 0.25}, ON_THE_SPHERE),
        ({"epsilon": 0.35, "norm": "per_variable"}, ONE_OF_TWO),
    ],
)
def test_logs_worked_by_hand(arguments, expected):
    history = fit(scalars(inner_lr=0.1, **arguments), epochs=2)
    assert set(history) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(history[name], [value] * 2, rtol=1e-5)


def test_plain_training_logs_no_perturbation():
    history = fit(scalars(epsilon=0.0))
    zeros = {name: [0.0] for name in PERTURBATION_METRICS}
    assert history == {**zeros, "loss": [12.5], "perturbed_loss": [12.5]}


def test_metrics_are_of_training_only():
    history = fit(
        scalars(epsilon=0.25),
        validation_data=(np.zeros((4, 2)), np.zeros((4, 2))),
    )
    assert [n for n in history if n.startswith("val_")] == ["val_loss"]


def test_logging_changes_no_weight_and_is_off_by_default():
    x, y = networks.data()

    def trained(**arguments):
        network = networks.plain_mlp()
        model = amp_keras.AMPModel(network, epsilon=0.5, **arguments)
        model.compile(
            keras.optimizers.SGD(0.1),
            networks.classifier_loss(),
            run_eagerly=True,
        )
        history = model.fit(x, y, epochs=2, shuffle=False, verbose=0).history
        return network.get_weights(), history

    logged, history = trained(log_perturbation=True)
    silent, plain_history = trained()
    assert set(plain_history) == {"loss"}
    assert set(history) == {"loss", *PERTURBATION_METRICS}
    assert history["loss"] == plain_history["loss"]
    for a, b in zip(logged, silent, strict=True):
        np.testing.assert_array_equal(a, b)


def test_skipped_step_does_not_count():
    """The first of two steps overflows; the logs are those of the second."""
    x, y = networks.data()
    model = amp_keras.AMPModel(
        networks.plain_mlp(), epsilon=0.1, log_perturbation=True
    )
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.0), initial_scale=2.0**120
    )
    model.compile(optimizer, networks.classifier_loss())
    large = np.concatenate([1e4 * x[:16], x[16:32]])
    history = model.fit(
        large, y[:32], batch_size=16, shuffle=False, verbose=0
    ).history
    assert float(optimizer.dynamic_scale) == 2.0**119
    assert history["perturbation_norm"][0] == pytest.approx(0.1, rel=1e-5)
    assert np.isfinite(history["sharpness"][0])
