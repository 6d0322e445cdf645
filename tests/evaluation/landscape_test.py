import keras
import numpy as np
import pytest
import tiny_nets

from amp_keras.evaluation import LossSurface
from amp_keras.evaluation import loss_against_radius
from amp_keras.evaluation import loss_slices

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
DIAGONAL = np.array([4.0, 1.0, -0.5])
WEIGHTS = np.array([1.0, -2.0, 0.5])


def quadratic_surface(weights=WEIGHTS, regularizer=None, **arguments):
    """Of the loss `sum(DIAGONAL * weights ** 2) / 2`."""
    rows = np.zeros((4, 3), "float32")
    model = tiny_nets.Rows(weights)
    model.vector.regularizer = regularizer
    labels = rows + DIAGONAL.astype("float32")
    return LossSurface(
        model, (rows, labels), tiny_nets.quadratic, batch_size=3, **arguments
    )


def quadratic(weights):
    return 0.5 * np.sum(DIAGONAL * weights**2, axis=-1)


def tiny_surface(seed=0):
    return LossSurface(
        tiny_nets.network(seed), tiny_nets.data(), CROSS_ENTROPY, batch_size=8
    )


def tiny_loss(flat):
    x, labels = tiny_nets.data()
    return tiny_nets.loss_and_gradient(flat, x, labels, tiny_nets.cross_entropy)


def unit(vector):
    return vector / np.linalg.norm(vector)


def test_gradient_direction_has_its_closed_form():
    radii = [0.0, 0.5, 2.0]
    found = loss_against_radius(quadratic_surface(), radii, "gradient")
    direction = unit(DIAGONAL * WEIGHTS)
    steps = np.array(radii)[:, None] * direction
    np.testing.assert_allclose(
        found.data, [quadratic(WEIGHTS + steps)], rtol=1e-5
    )
    np.testing.assert_allclose(found.norms, [radii], rtol=1e-6)
    np.testing.assert_allclose(
        found.relative_radii, np.array(radii) / np.linalg.norm(WEIGHTS)
    )
    assert found.at_weights.data == pytest.approx(quadratic(WEIGHTS))
    np.testing.assert_array_equal(found.total, found.data)


def test_random_directions_come_from_numpy():
    found = loss_against_radius(
        quadratic_surface(),
        [0.1, 0.2],
        "random",
        relative=True,
        num_directions=4,
        seed=7,
    )
    radii = np.array([0.1, 0.2]) * np.linalg.norm(WEIGHTS)
    drawn = np.random.default_rng(7).standard_normal((4, 3))
    expected = [
        [quadratic(WEIGHTS + radius * unit(vector)) for radius in radii]
        for vector in drawn
    ]
    np.testing.assert_allclose(found.data, expected, rtol=1e-5)
    np.testing.assert_allclose(found.radii, radii, rtol=1e-6)
    np.testing.assert_allclose(found.relative_radii, [0.1, 0.2])


@pytest.mark.parametrize("inner_lr", [None, 0.3, 0.01])
def test_ascent_is_algorithm_1(inner_lr):
    """The smallest step size ends inside the ball, the others on its sphere."""
    radius, expected = 0.4, np.zeros(3)
    for _ in range(3):
        gradient = DIAGONAL * (WEIGHTS + expected)
        if inner_lr is None:
            expected = expected + radius * unit(gradient)
        else:
            expected = expected + inner_lr * gradient
        expected *= min(1.0, radius / np.linalg.norm(expected))
    found = loss_against_radius(
        quadratic_surface(), [radius], inner_lr=inner_lr, inner_iters=3
    )
    assert found.norms[0, 0] == pytest.approx(np.linalg.norm(expected))
    assert found.data[0, 0] == pytest.approx(
        quadratic(WEIGHTS + expected), rel=1e-5
    )
    assert (found.norms[0, 0] < 0.99 * radius) == (inner_lr == 0.01)


def test_ascent_finds_the_worst_of_the_sphere():
    """From the minimum's side it turns to the eigenvector of the largest."""
    surface = quadratic_surface(weights=[0.01, 0.01, 0.01])
    along = {
        direction: loss_against_radius(
            surface, [1.0], direction, inner_iters=20
        ).data.max()
        for direction in ("amp", "random", "gradient")
    }
    # The largest eigenvalue is 4: the loss is 4 / 2 at (1, 0, 0), and somewhat
    # more where the weights help.
    assert along["amp"] == pytest.approx(2.0 * 1.01**2, rel=1e-3)
    assert along["amp"] > along["gradient"] > along["random"]


def test_a_ball_for_each_variable():
    """Every part of the gradient is as long as the radius, of 4 variables."""
    surface = tiny_surface()
    _, gradient = tiny_loss(surface.weights)
    parts = [unit(part.ravel()) for part in surface.split(gradient)]
    moved = surface.weights + 0.2 * np.concatenate(parts)
    found = loss_against_radius(surface, [0.2], "gradient", norm="per_variable")
    assert found.norms[0, 0] == pytest.approx(0.2 * np.sqrt(4))
    assert found.data[0, 0] == pytest.approx(tiny_loss(moved)[0], rel=1e-5)
    global_ball = loss_against_radius(surface, [0.2], "gradient")
    assert global_ball.norms[0, 0] == pytest.approx(0.2)


def test_zero_gradient_stays_where_it_is():
    surface = quadratic_surface(weights=np.zeros(3))
    for direction in ("amp", "gradient"):
        found = loss_against_radius(surface, [0.5], direction)
        assert found.norms[0, 0] == 0.0
        assert found.data[0, 0] == 0.0
        assert np.isnan(found.relative_radii)


def test_regularizer_belongs_to_the_total_loss_alone():
    found = loss_against_radius(
        quadratic_surface(regularizer=keras.regularizers.L2(0.5)),
        [0.5],
        "gradient",
    )
    moved = WEIGHTS + 0.5 * unit(DIAGONAL * WEIGHTS)
    assert found.data[0, 0] == pytest.approx(quadratic(moved), rel=1e-5)
    penalty = 0.5 * np.sum(moved**2)
    assert found.total[0, 0] == pytest.approx(
        quadratic(moved) + penalty, rel=1e-5
    )


def tiny_directions(weights, dimensions, seed):
    """Each column of a kernel has the norm of the weights' column."""
    rng = np.random.default_rng(seed)
    directions = []
    for drawn in rng.standard_normal((dimensions, weights.size)):
        direction = np.zeros_like(weights)
        for start, shape in ((0, (3, 4)), (16, (4, 3))):
            part = slice(start, start + 12)
            kernel = weights[part].reshape(shape)
            noise = drawn[part].reshape(shape)
            for column in range(shape[1]):
                noise[:, column] *= np.linalg.norm(
                    kernel[:, column]
                ) / np.linalg.norm(noise[:, column])
            direction[part] = noise.ravel()
        directions.append(direction)
    return np.array(directions)


def test_slices_are_those_of_filter_normalized_directions():
    """Numbers by NumPy alone, for two models and both dimensions."""
    surfaces = {"a": tiny_surface(0), "b": tiny_surface(1)}
    axis = [-0.5, 0.0, 1.0]
    for dimensions in (1, 2):
        found = loss_slices(surfaces, axis, dimensions, seed=5)
        for name, surface in surfaces.items():
            weights = surface.weights
            directions = tiny_directions(weights, dimensions, 5)
            grid = np.stack(np.meshgrid(*dimensions * [axis], indexing="ij"))
            expected = np.empty(grid.shape[1:])
            for index in np.ndindex(expected.shape):
                step = grid[(slice(None), *index)] @ directions
                expected[index] = tiny_loss(weights + step)[0]
            np.testing.assert_allclose(found.data[name], expected, rtol=1e-5)
            np.testing.assert_allclose(
                found.direction_norms[name],
                np.linalg.norm(directions, axis=-1),
                rtol=1e-6,
            )
            np.testing.assert_allclose(
                found.relative_norms[name],
                found.direction_norms[name] / np.linalg.norm(weights),
            )
    assert list(found.coordinates) == axis


def test_rescaled_network_has_the_same_slice():
    """ReLU: twice the first kernel and half the second are one function."""
    x, labels = tiny_nets.data()
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(4, activation="relu", use_bias=False)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3, use_bias=False)(hidden))
    first, second = model.get_weights()

    def losses():
        surface = LossSurface(model, (x, labels), CROSS_ENTROPY)
        return loss_slices(surface, [-1.0, 0.5, 1.0]).data["model"]

    before = losses()
    model.set_weights([2.0 * first, second / 2.0])
    np.testing.assert_allclose(losses(), before, rtol=1e-4)
    assert np.ptp(before) > 0.1


def test_filters_of_convolutions_and_rows_of_embeddings():
    tokens = keras.Input((16,), dtype="int32")
    x = keras.layers.Embedding(5, 2, name="embedding")(tokens)
    x = keras.layers.Reshape((4, 4, 2))(x)
    x = keras.layers.DepthwiseConv2D(2, depth_multiplier=3, name="depthwise")(x)
    x = keras.layers.Conv2DTranspose(3, 1, name="transposed")(x)
    x = keras.layers.Conv2D(4, 3, name="convolution")(x)
    x = keras.layers.BatchNormalization(name="normalization")(x)
    outputs = keras.layers.Dense(3)(keras.layers.Flatten()(x))
    model = keras.Model(tokens, outputs)
    rng = np.random.default_rng(0)
    data = rng.integers(0, 5, (6, 16)), rng.integers(0, 3, 6)
    axes = {
        "embedding": (1,),
        "depthwise": (0, 1),
        "transposed": (0, 1, 3),
        "convolution": (0, 1, 2),
    }
    for name, axis in axes.items():
        layer = model.get_layer(name)
        variable = layer.trainable_variables[0]
        surface = LossSurface(model, data, CROSS_ENTROPY, variables=[variable])
        moved = []

        def losses(weights, surface=surface, moved=moved):
            moved.append(surface.split(weights)[0])
            return LossSurface.losses(surface, weights)

        surface.losses = losses
        loss_slices(surface, [1.0])
        (there,), kernel = moved, keras.ops.convert_to_numpy(variable)
        np.testing.assert_allclose(
            np.sum((there - kernel) ** 2, axis=axis),
            np.sum(kernel**2, axis=axis),
            rtol=1e-4,
        )
    scales = model.get_layer("normalization").trainable_variables
    surface = LossSurface(model, data, CROSS_ENTROPY, variables=scales)
    found = loss_slices(surface, [0.0, 1.0])
    assert found.direction_norms["model"] == 0.0
    assert found.data["model"][0] == found.data["model"][1]


def test_seed_chooses_directions():
    surface = tiny_surface()

    def losses(seed):
        along = loss_against_radius(surface, [0.3], "random", seed=seed)
        return [
            *along.data.ravel(),
            *loss_slices(surface, [1.0], seed=seed).data["model"],
        ]

    assert losses(1) == losses(1)
    assert not np.any(np.isclose(losses(1), losses(2), rtol=1e-6))


def test_bad_arguments_are_refused():
    surface = quadratic_surface()
    for radii in ([-0.1], [np.nan], 0.1):
        with pytest.raises(ValueError, match="`radii` must be a list of"):
            loss_against_radius(surface, radii)
    with pytest.raises(ValueError, match="Received: direction='up'"):
        loss_against_radius(surface, [0.1], "up")
    with pytest.raises(ValueError, match="Received: norm='l1'"):
        loss_against_radius(surface, [0.1], norm="l1")
    with pytest.raises(ValueError, match="Received: dimensions=3"):
        loss_slices(surface, [0.1], dimensions=3)
