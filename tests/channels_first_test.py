import keras
import numpy as np
import pytest

from amp_keras.models.pyramidnet import pyramidnet
from amp_keras.models.resnet import resnet
from amp_keras.models.vgg import vgg
from amp_keras.models.wide_resnet import wide_resnet


@pytest.fixture(autouse=True, scope="module")
def convolution_of_channels_first():
    """Skips where TensorFlow has none, as on a CPU without oneDNN."""
    if keras.config.backend() == "tensorflow":
        from tensorflow import errors

        image, kernel = keras.ops.ones((1, 1, 2, 2)), keras.ops.ones((1,) * 4)
        try:
            keras.ops.conv(image, kernel, data_format="channels_first")
        except errors.UnimplementedError as error:
            pytest.skip(error.message)


@pytest.mark.parametrize(
    "build",
    [
        lambda shape: resnet(shape, 3, depth=8),
        lambda shape: pyramidnet(shape, 3, depth=8, alpha=30),
        lambda shape: wide_resnet(shape, 3, depth=10, width=1),
        lambda shape: vgg(shape, 3, depth=11),
    ],
    ids=["resnet", "pyramidnet", "wide_resnet", "vgg"],
)
def test_network_of_channels_first_computes_the_same(
    build, restored_data_format
):
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")
    network = build((8, 8, 1))
    expected = _outputs(network, x)
    keras.config.set_image_data_format("channels_first")
    other = build((1, 8, 8))
    other.set_weights(network.get_weights())
    outputs = _outputs(other, np.moveaxis(x, -1, 1))
    np.testing.assert_allclose(outputs, expected, rtol=1e-3, atol=1e-4)


def _outputs(network, x):
    return keras.ops.convert_to_numpy(network(x, training=True))


@pytest.fixture
def restored_data_format():
    before = keras.config.image_data_format()
    yield
    keras.config.set_image_data_format(before)
