"""A backend's own inner maximization, against the reference."""

import keras
import numpy as np
import pytest

import amp_keras
from amp_keras import perturbation as reference

FAST = amp_keras.AMPModel._arithmetic

pytestmark = pytest.mark.skipif(
    FAST is reference, reason="The backend has the reference only."
)
NORMS = pytest.mark.parametrize("norm", reference.NORMS)


def tensors(scale=1.0, dtypes=("float32", "float32", "float32"), seed=0):
    rng = np.random.default_rng(seed)
    return [
        keras.ops.convert_to_tensor(
            (rng.normal(size=shape) * scale).astype("float32"), dtype
        )
        for shape, dtype in zip([(40, 3), (7,), ()], dtypes)
    ]


def assert_same(ours, theirs, rtol=2e-6):
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs):
        assert our.dtype == their.dtype
        our, their = map(keras.ops.convert_to_numpy, (our, their))
        np.testing.assert_allclose(our, their, rtol)


@NORMS
@pytest.mark.parametrize("radius", [0.3, 1e3])
@pytest.mark.parametrize("scale", [0.0, 1e-25, 1e-20, 1e-6, 1.0, 1e6, 1e20])
def test_project(scale, radius, norm):
    perturbation = tensors(scale)
    for epsilon in (radius * scale, keras.ops.array(radius * scale, "float32")):
        assert_same(
            FAST.project(perturbation, epsilon, norm),
            reference.project(perturbation, epsilon, norm),
        )


@NORMS
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_project_what_is_not_finite(value, norm):
    perturbation = tensors()
    perturbation[1] = perturbation[1] + float(value)
    ours = FAST.project(perturbation, 0.3, norm)
    assert_same(ours, reference.project(perturbation, 0.3, norm))
    assert not FAST.all_finite(ours)


@pytest.mark.parametrize("inner_lr", [1, 0.7, 1e6])
def test_ascend(inner_lr):
    perturbation, gradients = tensors(), tensors(0.1, seed=1)
    assert_same(
        FAST.ascend(perturbation, gradients, inner_lr),
        reference.ascend(perturbation, gradients, inner_lr),
        rtol=1e-5,
    )


MIXED = ("float16", "bfloat16", "float64")


@pytest.mark.parametrize("function", ["zeros", "widen"])
def test_dtypes(function):
    values = tensors(dtypes=MIXED)
    assert_same(
        getattr(FAST, function)(values), getattr(reference, function)(values)
    )


@pytest.mark.parametrize("dtypes", [("float32",) * 3, MIXED])
def test_add(dtypes):
    perturbation, values = tensors(0.1), tensors(dtypes=dtypes, seed=1)
    assert_same(
        FAST.add(perturbation, values), reference.add(perturbation, values)
    )


@pytest.mark.parametrize("dtypes", [("float32",) * 3, MIXED])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "0", "3e4"])
def test_all_finite(value, dtypes):
    values = tensors(dtypes=dtypes)
    values[0] = values[0] + float(value)
    assert bool(FAST.all_finite(values)) == bool(reference.all_finite(values))
