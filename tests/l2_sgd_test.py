import keras
import numpy as np
import pytest

from amp_keras.optimizers import L2SGD

# A drop of the learning rate, which Keras' own SGD feels late.
RATES = [0.1, 0.1, 0.01, 0.01]
CASES = pytest.mark.parametrize(
    "momentum, nesterov", [(0.0, False), (0.9, False), (0.9, True)]
)


def gradients():
    rng = np.random.default_rng(0)
    return rng.normal(size=(len(RATES), 3)).astype("float32")


def trajectory(momentum, nesterov):
    weight = keras.Variable(np.array([1.0, -2.0, 3.0], "float32"))
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [1], [0.1, 0.01]
    )
    optimizer = L2SGD(schedule, momentum=momentum, nesterov=nesterov, l2=0.3)
    for gradient in gradients():
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [weight])
        yield weight.numpy()


@CASES
def test_steps_follow_the_rule_of_torch(momentum, nesterov):
    weight = np.array([1.0, -2.0, 3.0])
    velocity = np.zeros(3)
    results = trajectory(momentum, nesterov)
    for rate, gradient, result in zip(RATES, gradients(), results, strict=True):
        gradient = gradient + 0.3 * weight
        velocity = momentum * velocity + gradient
        step = gradient + momentum * velocity if nesterov else velocity
        weight = weight - rate * step
        np.testing.assert_allclose(result, weight, rtol=1e-5)


@CASES
@pytest.mark.skipif(
    keras.config.backend() != "torch", reason="needs PyTorch itself"
)
def test_steps_equal_those_of_torch_itself(momentum, nesterov):
    import torch

    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0, 3.0]))
    optimizer = torch.optim.SGD(
        [weight], lr=0.1, momentum=momentum, nesterov=nesterov, weight_decay=0.3
    )
    results = trajectory(momentum, nesterov)
    for rate, gradient, result in zip(RATES, gradients(), results, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        weight.grad = torch.tensor(gradient)
        optimizer.step()
        np.testing.assert_allclose(result, weight.detach().numpy(), rtol=1e-6)


def test_config_round_trip():
    optimizer = L2SGD(0.1, momentum=0.9, nesterov=True, l2=1e-4)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(copy, L2SGD)
    assert copy.get_config() == optimizer.get_config()


def test_negative_l2_is_refused():
    with pytest.raises(ValueError, match="`l2` must be .*l2=-1"):
        L2SGD(l2=-1)
