"""One step on every family of `keras.applications` equals brute force."""

import applications
import keras
import pytest


@pytest.mark.slow
def test_step_equals_brute_force_on_every_family():
    differences = applications.differences_on(keras.config.backend())
    assert differences.keys() == applications.FAMILIES.keys()
    assert max(differences.values()) < applications.TOLERANCE
