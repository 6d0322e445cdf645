import math

import keras
import numpy as np
import pytest

from amp_keras import models
from amp_keras.models.resnet import resnet

# ResNets: table 6 of He et al. 2016, in millions of parameters.
PUBLISHED_MILLIONS = {
    "resnet20": 0.27,
    "resnet32": 0.46,
    "resnet44": 0.66,
    "resnet56": 0.85,
    "resnet110": 1.7,
    "preactresnet18": 11.2,
}


def parameters(network):
    return sum(math.prod(w.shape) for w in network.trainable_weights)


@pytest.mark.parametrize("name", models.NAMES)
def test_parameter_count_is_the_published_one(name):
    network = models.get(name)((32, 32, 3), 10)
    published = PUBLISHED_MILLIONS[name]
    digits = 2 if published < 1 else 1
    assert round(parameters(network) / 1e6, digits) == published
    assert network.output_shape == (None, 10)


def test_resnet20_parameter_count_worked_by_hand():
    convolutions = 9 * (
        3 * 16 + 6 * 16 * 16 + 16 * 32 + 5 * 32 * 32 + 32 * 64 + 5 * 64 * 64
    )
    batch_normalization = 2 * (7 * 16 + 6 * 32 + 6 * 64)
    dense = 64 * 10 + 10
    network = models.get("resnet20")((32, 32, 3), 10)
    assert parameters(network) == convolutions + batch_normalization + dense


def test_resolution_halves_twice():
    network = models.get("resnet20")((32, 32, 3), 10)
    shapes = {
        layer.output.shape[1:]
        for layer in network.layers
        if isinstance(layer, keras.layers.Conv2D)
    }
    assert shapes == {(32, 32, 16), (16, 16, 32), (8, 8, 64)}


def test_shortcut_passes_the_input_through_padded_with_zeros():
    """With the last gamma of each block at zero only shortcuts remain."""
    network = models.get("resnet20")((8, 8, 1), 3)
    stem, before_pooling = network.layers[3], network.layers[-2].input
    for layer in network.layers:
        if isinstance(layer, keras.layers.Add):
            batch_norm = layer._inbound_nodes[0].arguments.args[0][0]
            batch_norm._keras_history.operation.gamma.assign(
                keras.ops.zeros(batch_norm.shape[-1])
            )
    features = keras.Model(network.input, [stem.output, before_pooling])
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1))
    stem_value, value = features.predict(x, verbose=0)
    assert value.shape == (2, 2, 2, 64)
    np.testing.assert_allclose(value[..., 24:40], stem_value[:, ::4, ::4])
    np.testing.assert_array_equal(value[..., :24], 0.0)
    np.testing.assert_array_equal(value[..., 40:], 0.0)


def test_initial_weights_have_the_variance_of_he_fan_out():
    network = models.get("preactresnet18")((32, 32, 3), 10)
    kernel = network.trainable_weights[-5]
    assert kernel.shape == (3, 3, 512, 512)
    expected = math.sqrt(2.0 / (3 * 3 * 512))
    assert float(np.std(kernel.numpy())) == pytest.approx(expected, rel=0.01)


def test_preactresnet18_downsamples_three_times():
    network = models.get("preactresnet18")((32, 32, 3), 10)
    assert network.layers[-2].input.shape == (None, 4, 4, 512)


def test_saved_network_predicts_the_same(tmp_path):
    network = models.get("resnet20")((8, 8, 1), 10)
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1))
    np.testing.assert_array_equal(
        network.predict(x, verbose=0), loaded.predict(x, verbose=0)
    )


@pytest.mark.parametrize("depth", [2, 18, 21])
def test_impossible_depth_raises(depth):
    with pytest.raises(ValueError, match=f"6n [+] 2 .* depth={depth}"):
        resnet((32, 32, 3), 10, depth)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="resnet20, .* Received: name=vgg"):
        models.get("vgg")
