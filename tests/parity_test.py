"""Every backend and mode against AMP written from the algorithm in NumPy."""

import keras
import numpy as np
import numpy_amp
import parity
import pytest

MODES = {
    name: arguments
    for name, arguments in parity.MODES[keras.config.backend()].items()
    if name != "compiled"
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", parity.CASES, ids=parity.title)
def test_two_epochs_equal_numpy(case, mode):
    assert parity.largest_difference(case, MODES[mode]) < 1e-5


@pytest.mark.slow
@pytest.mark.skipif(
    keras.config.backend() != "torch", reason="the mode is of torch"
)
def test_two_epochs_compiled_by_torch_equal_numpy():
    arguments = parity.MODES["torch"]["compiled"]
    assert parity.largest_difference(parity.CASES[2], arguments) < 1e-5


def test_gradients_of_the_reference_are_those_of_its_loss():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(9, 8)), rng.integers(0, 3, size=9)
    weights = [w.astype("float64") for w in parity.start_weights()]
    _, gradients, _, _ = numpy_amp.backprop(weights, x, y)
    step = 1e-6
    for i, gradient in enumerate(gradients):
        direction = rng.normal(size=gradient.shape)
        ahead, behind = list(weights), list(weights)
        ahead[i] = weights[i] + step * direction
        behind[i] = weights[i] - step * direction
        slope = numpy_amp.backprop(ahead, x, y)[0]
        slope -= numpy_amp.backprop(behind, x, y)[0]
        expected = np.sum(gradient * direction)
        assert slope / (2 * step) == pytest.approx(expected, abs=1e-7)
