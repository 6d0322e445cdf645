import keras
import networks
import numpy as np
import pytest

from amp_keras.perturbation import ascend
from amp_keras.perturbation import l2_norm
from amp_keras.perturbation import project


def arrays(*values, dtype="float32"):
    return [keras.ops.convert_to_tensor(v, dtype=dtype) for v in values]


def numpy(tensors):
    return [keras.ops.convert_to_numpy(t) for t in tensors]


def test_ascend_adds_the_scaled_gradients():
    result = ascend(
        arrays([1.0, 2.0], [[3.0]]), arrays([4.0, 0.0], [[-2.0]]), 0.5
    )
    np.testing.assert_allclose(numpy(result)[0], [3.0, 2.0])
    np.testing.assert_allclose(numpy(result)[1], [[2.0]])


@pytest.mark.parametrize("norm", ["global", "per_variable"])
def test_project_returns_what_is_inside_the_ball_unchanged(norm):
    perturbation = arrays([0.3, 0.4], [0.1])
    for before, after in zip(
        numpy(perturbation), numpy(project(perturbation, 0.6, norm))
    ):
        np.testing.assert_array_equal(before, after)


def test_project_global_scales_all_variables_by_one_factor():
    # The norm is 13, so the factor is 1/2.
    result = project(arrays([3.0, 4.0], [12.0]), 6.5)
    np.testing.assert_allclose(numpy(result)[0], [1.5, 2.0], rtol=1e-6)
    np.testing.assert_allclose(numpy(result)[1], [6.0], rtol=1e-6)


def test_project_per_variable_scales_each_variable_by_its_own_factor():
    result = project(arrays([3.0, 4.0], [0.5]), 1.0, "per_variable")
    np.testing.assert_allclose(numpy(result)[0], [0.6, 0.8], rtol=1e-6)
    np.testing.assert_array_equal(numpy(result)[1], [0.5])


@pytest.mark.parametrize("norm", ["global", "per_variable"])
def test_project_keeps_zeros(norm):
    result = project(arrays([0.0, 0.0], [0.0]), 0.1, norm)
    np.testing.assert_array_equal(np.concatenate(numpy(result)), [0.0] * 3)


@pytest.mark.parametrize("scale", [1e-20, 1e-6, 1.0, 1e6, 1e20])
@pytest.mark.parametrize("norm", ["global", "per_variable"])
def test_project_reaches_the_sphere_at_any_scale(scale, norm):
    rng = np.random.default_rng(0)
    values = rng.normal(size=100).astype("float32") * np.float32(scale)
    epsilon = 0.1 * scale
    (result,) = numpy(project(arrays(values), epsilon, norm))
    direction = values.astype("float64") / np.linalg.norm(
        values.astype("float64")
    )
    np.testing.assert_allclose(result, epsilon * direction, rtol=1e-5)


@pytest.mark.parametrize("dtype", networks.DTYPES)
def test_project_computes_norms_in_at_least_float32_and_keeps_dtype(dtype):
    # In float16 the sum of squares, 1e6, would overflow.
    (result,) = project(arrays(np.full(100, 100.0), dtype=dtype), 10.0)
    assert keras.backend.standardize_dtype(result.dtype) == dtype
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(keras.ops.cast(result, "float32")),
        np.full(100, 1.0),
        rtol=4e-3,
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_l2_norm_shows_non_finite_values(bad):
    assert not np.isfinite(l2_norm(arrays([1.0, bad], [2.0])))


def test_l2_norm_is_that_of_all_tensors_together():
    assert float(l2_norm(arrays([3.0, 4.0], [[12.0]]))) == pytest.approx(13.0)


@pytest.mark.skipif(
    keras.config.backend() != "tensorflow",
    reason="Keras promotes float64 to itself on TensorFlow only",
)
def test_l2_norm_of_float64_is_float64():
    assert float(l2_norm(arrays([1.0 + 1e-12], dtype="float64"))) == 1.0 + 1e-12
