"""`perturb`: which trainable variables the perturbation moves."""

import keras
import networks
import numpy as np
import pytest

import amp_keras

MOVED_BY_HAND = {
    # The gradient at (3, 4) is (3, 4); inner_lr is 0.1 and epsilon 0.25.
    "first": [3.0 - 0.1 * 3.25, 4.0 - 0.1 * 4.0],
    "second": [3.0 - 0.1 * 3.0, 4.0 - 0.1 * 4.25],
    "first|second": [3.0 - 0.1 * 3.15, 4.0 - 0.1 * 4.2],
}


def weights_after_a_step(perturb, loss=networks.half_squares, lr=0.1):
    network = networks.TwoScalars(3.0, 4.0)
    model = amp_keras.AMPModel(
        network, epsilon=0.25, inner_lr=0.1, perturb=perturb
    )
    model.compile(keras.optimizers.SGD(lr), loss=loss)
    model.train_on_batch(np.zeros((5, 2)), np.zeros((5, 2)))
    return [float(network.first), float(network.second)]


@pytest.mark.parametrize("pattern", MOVED_BY_HAND)
def test_pattern_chooses_by_path(pattern):
    np.testing.assert_allclose(
        weights_after_a_step(pattern), MOVED_BY_HAND[pattern], rtol=1e-6
    )


def test_function_chooses_by_variable():
    after = weights_after_a_step(lambda v: v.path.endswith("second"))
    np.testing.assert_allclose(after, MOVED_BY_HAND["second"], rtol=1e-6)


def test_choice_of_none_says_what_there_is():
    with pytest.raises(
        ValueError, match="select at least one.*/first.*perturb='third'"
    ):
        weights_after_a_step("third")


@pytest.mark.parametrize("perturb", [3, "(", ["kernel"]])
def test_what_is_neither_pattern_nor_function_is_refused(perturb):
    with pytest.raises(ValueError, match="`perturb` must be .* Received: per"):
        amp_keras.AMPModel(networks.plain_mlp(), epsilon=0.1, perturb=perturb)


def half_squared_product(y_true, y_pred):
    return 0.5 * keras.ops.square(y_pred[:, 0] * y_pred[:, 1])


def test_variable_left_out_is_updated_by_its_perturbed_gradient():
    """(3, 4) is perturbed to (3.25, 4), where the gradient is (52, 42.25)."""
    after = weights_after_a_step("first", half_squared_product, lr=0.01)
    np.testing.assert_allclose(after, [3 - 0.52, 4 - 0.4225], rtol=1e-6)


@keras.saving.register_keras_serializable(package="tests")
def is_matrix(variable):
    return len(variable.shape) == 2


@pytest.mark.parametrize("perturb", ["kernel", is_matrix, None])
def test_choice_is_saved(perturb, tmp_path):
    x, y = networks.data()
    model = amp_keras.AMPModel(
        networks.plain_mlp(), epsilon=0.5, perturb=perturb
    )
    model.compile(keras.optimizers.SGD(0.1), networks.classifier_loss())
    model.train_on_batch(x, y)
    model.save(tmp_path / "amp.keras")
    loaded = keras.models.load_model(tmp_path / "amp.keras")
    assert loaded.perturb == perturb
    for trained in (model, loaded):
        trained.train_on_batch(x, y)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
