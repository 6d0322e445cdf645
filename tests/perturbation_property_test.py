"""What holds of the perturbation for any gradients, whatever their size."""

import hypothesis
import keras
import networks
import numpy as np
import pytest
from hypothesis import strategies

from amp_keras.perturbation import ascend
from amp_keras.perturbation import clipped_share
from amp_keras.perturbation import project
from amp_keras.perturbation import wide_dtype

SHAPES = ((), (1,), (3,), (2, 3))
# Of gradients; perturbations have at least float32.
DTYPES = ("float32", *networks.DTYPES)
NORMS = pytest.mark.parametrize("norm", ["global", "per_variable"])


@strategies.composite
def gradients(draw):
    """A list of tensors, each of a scale from 1e-20 to 1e20, or zeros."""
    seed = draw(strategies.integers(0, 2**32 - 1))
    shapes = draw(strategies.lists(strategies.sampled_from(SHAPES), min_size=1))
    dtype = draw(strategies.sampled_from(DTYPES))
    largest = 6e4 if dtype == "float16" else 1e20
    rng = np.random.default_rng(seed)
    tensors = []
    for shape in shapes:
        exponent = draw(strategies.none() | strategies.floats(-20, 20))
        scale = 0.0 if exponent is None else 10.0**exponent
        values = rng.normal(size=shape) * rng.integers(0, 2, size=shape)
        values = np.clip(scale * values, -largest, largest)
        tensors.append(keras.ops.convert_to_tensor(values, dtype=dtype))
    return tensors


radii = strategies.floats(-3, 3).map(lambda exponent: 10.0**exponent)
settings = hypothesis.settings(max_examples=60, deadline=None)


def zeros(tensors):
    return [keras.ops.zeros(t.shape, wide_dtype(t.dtype)) for t in tensors]


def flat(tensors):
    """The float64 values of all tensors."""
    tensors = [keras.ops.cast(t, wide_dtype(t.dtype)) for t in tensors]
    arrays = [keras.ops.convert_to_numpy(t) for t in tensors]
    return np.concatenate([np.ravel(a).astype("float64") for a in arrays])


def balls(ascended, projected, norm):
    """The values before and after, for each ball."""
    if norm == "global":
        return [(flat(ascended), flat(projected))]
    return [(flat([a]), flat([p])) for a, p in zip(ascended, projected)]


@NORMS
@settings
@hypothesis.given(gradients=gradients(), epsilon=radii)
def test_projection_ends_in_the_ball_in_the_same_direction(
    gradients, epsilon, norm
):
    ascended = ascend(zeros(gradients), gradients, 1.0)
    projected = project(ascended, epsilon, norm)
    reached, near = [], False
    for before, after in balls(ascended, projected, norm):
        length, shortened = np.linalg.norm(before), np.linalg.norm(after)
        assert np.all(np.isfinite(after))
        assert shortened <= epsilon * (1 + 1e-6)
        assert np.all(after[before == 0.0] == 0.0)
        # Two vectors of these lengths are apart by their difference at least.
        distance = np.linalg.norm(before - after)
        assert distance <= abs(length - shortened) + 1e-6 * length
        if length <= epsilon * (1 - 1e-6):
            np.testing.assert_array_equal(before, after)
        if length >= epsilon * (1 + 1e-6):
            assert shortened >= epsilon * (1 - 1e-6)
        reached.append(length >= epsilon * (1 - 1e-5))
        near |= abs(length - epsilon * (1 - 1e-5)) < 1e-6 * epsilon
    share = float(clipped_share(projected, epsilon, norm))
    assert near or share == pytest.approx(np.mean(reached), abs=1e-6)


@NORMS
@settings
@hypothesis.given(
    gradients=gradients(),
    epsilon=radii,
    inner_lr=strategies.sampled_from([0.0, 1e-3, 1.0, 1e6]),
    inner_iters=strategies.integers(1, 4),
)
def test_ascent_of_many_steps_never_leaves_the_ball(
    gradients, epsilon, inner_lr, inner_iters, norm
):
    """Along one gradient it moves on until it meets the sphere."""
    perturbation = zeros(gradients)
    for _ in range(inner_iters):
        ascended = ascend(perturbation, gradients, inner_lr)
        perturbation = project(ascended, epsilon, norm)
    start = zeros(gradients)
    for before, after in balls(gradients, perturbation, norm):
        path = inner_lr * inner_iters * np.linalg.norm(before)
        np.testing.assert_allclose(
            np.linalg.norm(after), min(path, epsilon), rtol=1e-5, atol=1e-37
        )
    if inner_lr == 0.0:
        np.testing.assert_array_equal(flat(perturbation), flat(start))
