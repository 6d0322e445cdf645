"""One step on every family of `keras.applications` equals brute force."""

import applications
import keras
import pytest


@pytest.mark.slow
def test_step_equals_brute_force_on_every_family():
    backend = keras.config.backend()
    differences = applications.differences_on(backend)
    assert list(differences) == applications.families_on(backend)
    assert max(differences.values()) < applications.TOLERANCE
