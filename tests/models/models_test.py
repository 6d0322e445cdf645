import math
import pathlib

import keras
import numpy as np
import published_networks
import pytest
from published_networks import parameters

import amp_keras
from amp_keras import models
from amp_keras.models.preact_resnet import preact_resnet
from amp_keras.models.pyramidnet import pyramidnet
from amp_keras.models.resnet import resnet
from amp_keras.models.vgg import vgg
from amp_keras.models.wide_resnet import wide_resnet

# Exact counts of other implementations, for 10 classes, and what they have more
# (or less) than ours.
# pytorch-cifar's PreActResNet lacks the last batch normalization, and its VGG
# has biases in the convolutions before batch normalization.
ELSEWHERE = {
    "preactresnet18": (11_171_146, -2 * 512),
    "preactresnet34": (21_279_306, -2 * 512),
    "preactresnet50": (23_509_066, -2 * 2048),
    "vgg11": (9_231_114, sum(published_networks.A)),
    "vgg13": (9_416_010, sum(published_networks.B)),
    "vgg16": (14_728_266, sum(published_networks.D)),
    "vgg19": (20_040_522, sum(published_networks.E)),
    "wrn28_2": (1_467_610, 0),
    # osmr/imgclsmob.
    "wrn28_10": (36_479_194, 0),
    "pyramidnet110_48": (1_772_706, 0),
    "pyramidnet110_84": (3_904_446, 0),
    "pyramidnet110_270": (28_485_477, 0),
    "pyramidnet164_270": (27_216_021, 0),
}

# Those that take the longest to trace or hold the most weights.
GIANTS = {
    "resnet110",
    "preactresnet34",
    "preactresnet50",
    "preactresnet101",
    "preactresnet152",
    "vgg19",
    "wrn28_10",
    "pyramidnet110_48",
    "pyramidnet110_84",
    "pyramidnet110_270",
    "pyramidnet164_48",
    "pyramidnet164_270",
}
STEPPED = [
    pytest.param(name, marks=pytest.mark.slow) if name in GIANTS else name
    for name in models.names()
]


@pytest.mark.parametrize("name", models.names())
def test_parameter_count_is_that_of_the_papers_table(name):
    network = models.get(name)((32, 32, 3), 10)
    assert parameters(network) == published_networks.COUNTS[name]
    assert network.output_shape == (None, 10)
    assert network.name == name


@pytest.mark.parametrize(
    "name",
    [name for name, found in published_networks.PUBLISHED.items() if found],
)
def test_parameter_count_is_near_the_published_one(name):
    """Those of PyramidNet were published a little too small.

    Those of pytorch-cifar count some parameters more or less: see `ELSEWHERE`.
    """
    published, source = published_networks.PUBLISHED[name]
    unit = 0.1 ** len(published.partition(".")[2])
    tolerance = unit if source == published_networks.FORK else 0.51 * unit
    if name.startswith("pyramidnet"):
        tolerance = 0.05 * float(published)
    millions = published_networks.COUNTS[name] / 1e6
    assert millions == pytest.approx(float(published), abs=tolerance)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_parameter_count_is_that_of_another_implementation(name):
    count, more = ELSEWHERE[name]
    assert published_networks.COUNTS[name] + more == count


def test_table_in_the_documentation_is_the_one_that_is_generated():
    path = pathlib.Path(__file__).parents[2] / "docs" / "networks.md"
    lines = path.read_text().splitlines()
    start = lines.index("| network | parameters | published | source |")
    table = published_networks.table(published_networks.COUNTS)
    assert lines[start : start + len(table)] == table
    assert list(published_networks.COUNTS) == list(models.names())


@pytest.mark.parametrize("name", STEPPED)
def test_network_takes_a_step_of_amp_on_digits_sized_images(name):
    """Every weight is changed, and by a finite amount."""
    network = models.get(name)((8, 8, 1), 3)
    before = [w.numpy() for w in network.trainable_weights]
    model = amp_keras.AMPModel(network, epsilon=0.01)
    model.compile(
        keras.optimizers.SGD(1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        run_eagerly=True,
    )
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")
    loss = model.train_on_batch(x, np.array([0, 2], "int32"))
    assert np.isfinite(loss)
    for old, weight in zip(before, network.trainable_weights, strict=True):
        new = weight.numpy()
        assert np.all(np.isfinite(new))
        assert np.any(new != old), weight.path


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


def test_vgg_pools_small_images_to_one_pixel_and_no_further():
    for side, expected in ((32, [16, 8, 4, 2, 1]), (8, [4, 2, 1, 1, 1])):
        network = models.get("vgg11")((side, side, 1), 3)
        pooled = [
            layer.output.shape[1]
            for layer in network.layers
            if isinstance(layer, keras.layers.MaxPooling2D)
        ]
        assert pooled == expected


def test_wide_resnet_is_wide():
    network = models.get("wrn28_2")((32, 32, 3), 10)
    shapes = [
        layer.output.shape[1:]
        for layer in network.layers
        if isinstance(layer, keras.layers.Add)
    ]
    assert shapes == 4 * [(32, 32, 32)] + 4 * [(16, 16, 64)] + 4 * [(8, 8, 128)]


def test_filters_of_the_pyramid_grow_in_every_block():
    network = pyramidnet((32, 32, 3), 10, depth=20, alpha=90)
    shapes = [
        layer.output.shape[1:]
        for layer in network.layers
        if isinstance(layer, keras.layers.Add)
    ]
    assert [shape[-1] for shape in shapes] == list(range(26, 107, 10))
    assert [shape[0] for shape in shapes] == 3 * [32] + 3 * [16] + 3 * [8]


@pytest.mark.parametrize("bottleneck", [False, True])
def test_shortcut_of_the_pyramid_averages_and_appends_zeros(bottleneck):
    """With the last gamma of each block at zero only shortcuts remain."""
    depth = 11 if bottleneck else 8
    network = pyramidnet((8, 8, 1), 3, depth, 30, bottleneck)
    for layer in network.layers:
        if isinstance(layer, keras.layers.Add):
            batch_norm = layer._inbound_nodes[0].arguments.args[0][0]
            batch_norm._keras_history.operation.gamma.assign(
                keras.ops.zeros(batch_norm.shape[-1])
            )
    stem = network.layers[2]
    last = [x for x in network.layers if isinstance(x, keras.layers.Add)][-1]
    features = keras.Model(network.input, [stem.output, last.output])
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1))
    stem_value, value = features.predict(x, verbose=0)
    assert value.shape == (2, 2, 2, 4 * 46 if bottleneck else 46)
    averages = stem_value.reshape(2, 2, 4, 2, 4, 16).mean((2, 4))
    np.testing.assert_allclose(value[..., :16], averages, atol=1e-6)
    np.testing.assert_array_equal(value[..., 16:], 0.0)


@pytest.mark.parametrize("depth", [2, 18, 21])
def test_impossible_depth_raises(depth):
    with pytest.raises(ValueError, match=f"6n [+] 2 .* depth={depth}"):
        resnet((32, 32, 3), 10, depth)


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: preact_resnet((8, 8, 1), 3, 20), "18, 34, 50, 101, 152"),
        (lambda: vgg((8, 8, 1), 3, 12), "11, 13, 16, 19. .*depth=12"),
        (lambda: wide_resnet((8, 8, 1), 3, 20, 2), "6n [+] 4 .*depth=20"),
        (lambda: pyramidnet((8, 8, 1), 3, 111, 9, True), "9n [+] 2 .* 164"),
        (lambda: pyramidnet((8, 8, 1), 3, 2, 9), "6n [+] 2 .* 110.*depth=2"),
    ],
)
def test_impossible_depth_of_other_networks_raises(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="resnet20, .* Received: name='vgg'$"):
        models.get("vgg")
