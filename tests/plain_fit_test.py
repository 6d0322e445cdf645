"""Where AMP must do what plain `fit` does, and that every mode agrees."""

import functools

import keras
import networks
import numpy as np
import pytest

import amp_keras


def fit_noisy(wrap, **compile_arguments):
    x, y = networks.data()
    network = networks.noisy_two_outputs()
    model = wrap(network)
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9, weight_decay=1e-3),
        loss={"label": networks.classifier_loss(), "value": "mse"},
        loss_weights={"label": 1.0, "value": 0.3},
        metrics={"label": ["accuracy"], "value": ["mae"]},
        **compile_arguments,
    )
    targets = {"label": y, "value": x[:, :1]}
    history = model.fit(x, targets, batch_size=16, epochs=3, verbose=0).history
    return history, [v.numpy() for v in network.variables]


@functools.cache
def plain_fit(mode):
    """What `fit_noisy` gives without AMP, in the mode of that number."""
    return fit_noisy(lambda network: network, **networks.MODES[mode])


# Through every pass, but too small to change a weight.
VANISHING = {"epsilon": 0.1, "inner_lr": 1e-30}


def with_each_mode_once(*arguments):
    """Every mode with the first of the arguments, the default with all."""
    modes = range(len(networks.MODES))
    pairs = [(arguments[0], mode) for mode in modes]
    pairs += [(others, 0) for others in arguments[1:]]
    return pytest.mark.parametrize(("arguments", "mode"), pairs)


@with_each_mode_once(
    {"epsilon": 0.0},
    {"epsilon": 0.1, "inner_iters": 0},
    {"epsilon": 0.1, "inner_lr": 0.0},
)
def test_no_perturbation_is_plain_fit_bit_for_bit(arguments, mode):
    history, variables = plain_fit(mode)
    amp_history, amp_variables = fit_noisy(
        lambda network: amp_keras.AMPModel(network, **arguments),
        **networks.MODES[mode],
    )
    assert amp_history == history
    for plain, amp in zip(variables, amp_variables, strict=True):
        np.testing.assert_array_equal(plain, amp)


@with_each_mode_once({"inner_iters": 3}, {}, {"norm": "per_variable"})
def test_vanishing_perturbation_gives_the_numbers_of_plain_fit(arguments, mode):
    history, variables = plain_fit(mode)
    amp_history, amp_variables = fit_noisy(
        lambda network: amp_keras.AMPModel(network, **VANISHING, **arguments),
        **networks.MODES[mode],
    )
    # A compiler rewrites the two programs differently.
    eager = (
        "run_eagerly" in networks.MODES[mode]
        or keras.config.backend() == "torch"
    )
    tolerance = 0.0 if eager else 1e-6
    for name in history:
        np.testing.assert_allclose(
            amp_history[name], history[name], rtol=tolerance
        )
    for plain, amp in zip(variables, amp_variables, strict=True):
        np.testing.assert_allclose(plain, amp, rtol=0, atol=tolerance)


def test_a_perturbation_changes_the_result():
    _, variables = plain_fit(0)
    _, amp_variables = fit_noisy(
        lambda network: amp_keras.AMPModel(network, epsilon=0.1)
    )
    assert np.max(np.abs(variables[0] - amp_variables[0])) > 1e-3


def fit_mlp(compile_arguments):
    x, y = networks.data()
    network = networks.plain_mlp()
    model = amp_keras.AMPModel(network, epsilon=0.1, inner_iters=2)
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        networks.classifier_loss(),
        **compile_arguments,
    )
    model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0)
    return network.get_weights()


@pytest.mark.parametrize(
    "compile_arguments", networks.MODES[1:], ids=networks.first_key
)
def test_every_mode_agrees_with_the_default(compile_arguments):
    expected = fit_mlp({})
    for a, b in zip(expected, fit_mlp(compile_arguments), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
