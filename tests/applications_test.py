"""One step on every family of `keras.applications` equals brute force."""

import applications
import keras
import pytest

BACKEND = keras.config.backend()


@pytest.mark.skipif(BACKEND == "jax", reason="XLA compiles for a minute")
def test_step_equals_brute_force_on_one_family():
    (pair,) = applications.differences_on(BACKEND, "MobileNetV3").values()
    assert applications.agree(*pair)


@pytest.mark.slow
def test_step_equals_brute_force_on_every_family():
    differences = applications.differences_on(BACKEND)
    assert list(differences) == applications.families_on(BACKEND)
    assert all(applications.agree(*pair) for pair in differences.values())
