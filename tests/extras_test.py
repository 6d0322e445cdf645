"""What works without the extras, and what is said where one is missing."""

import keras
import pytest
from without import run_without

BACKEND = keras.config.backend()
# Where the tests of JAX run, TensorFlow and JAX are installed.
once = pytest.mark.skipif(
    BACKEND != "jax", reason="it chooses its backend itself"
)
FRAMEWORKS = {"tensorflow", "jax", "torch"}
# What the extras bring; other packages need absl themselves.
OF_APPS = {
    "tensorflow",
    "tensorflow_datasets",
    "tensorboard",
    "sklearn",
    "matplotlib",
    "filelock",
    "PIL",
    "requests",
    "importlib_resources",
}
OF_TUNER = {"keras_tuner", "scipy"}

FIT = """
import sys
import keras
import numpy as np
import amp_keras

network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
model = amp_keras.AMPModel(network, epsilon=0.1)
model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True))
x = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")
y = np.arange(12) % 3
before = network.get_weights()[0]
model.fit(x, y, batch_size=4, epochs=1, verbose=0)
assert np.any(network.get_weights()[0] != before)
"""

SAVE_AND_EVALUATE = """
import os
import tempfile

with tempfile.TemporaryDirectory() as folder:
    for saved in (model, network):
        path = os.path.join(folder, "saved.keras")
        saved.save(path)
        loaded = keras.models.load_model(path)
        np.testing.assert_array_equal(
            loaded.predict(x, verbose=0), model.predict(x, verbose=0)
        )
    path = os.path.join(folder, "saved.weights.h5")
    network.save_weights(path)
    loaded.load_weights(path)
assert loaded.count_params() == 15

from amp_keras import evaluation

# Both of confidence 3/4, one of them right.
probabilities = np.array([[0.75, 0.25], [0.75, 0.25]])
assert evaluation.expected_calibration_error([0, 1], probabilities) == 0.25
"""


def needed_by(backend):
    """PyTorch needs `filelock` itself, TensorFlow others."""
    return {
        "tensorflow": {"tensorflow", "tensorboard", "requests"},
        "jax": {"scipy"},
        "torch": {"filelock"},
    }[backend]


def last_line(result):
    return result.stderr.splitlines()[-1]


def test_a_backend_is_enough_to_fit_save_load_and_evaluate():
    hidden = FRAMEWORKS - {BACKEND} | OF_APPS | OF_TUNER
    result = run_without(hidden - needed_by(BACKEND), FIT + SAVE_AND_EVALUATE)
    assert result.returncode == 0, result.stderr


@once
def test_fit_on_jax_leaves_tensorflow_alone():
    code = FIT + (
        "assert 'jax' in sys.modules\n"
        "assert 'tensorflow' not in sys.modules\n"
        "assert 'torch' not in sys.modules\n"
    )
    result = run_without(set(), code, KERAS_BACKEND="jax")
    assert result.returncode == 0, result.stderr


@once
@pytest.mark.parametrize(
    ("missing", "advice"),
    [
        (
            {"tensorflow", "torch"},
            "set the environment variable KERAS_BACKEND=jax, or ",
        ),
        ({"tensorflow", "jax", "torch"}, ""),
    ],
)
def test_without_tensorflow_import_tells_how_to_have_a_backend(
    missing, advice, tmp_path
):
    result = run_without(
        missing, "import amp_keras", KERAS_BACKEND=None, KERAS_HOME=tmp_path
    )
    assert last_line(result) == (
        "ModuleNotFoundError: The backend of Keras is tensorflow, which is "
        f'not installed: {advice}pip install "amp-keras[tensorflow]"'
    )
    assert "During handling" not in result.stderr


@once
@pytest.mark.parametrize(
    ("statement", "user", "package", "extra"),
    [
        ("amp_keras.datasets", "datasets", "tensorflow", "apps"),
        ("import amp_keras.datasets", "datasets", "tensorflow", "apps"),
        ("from amp_keras import tuner", "tuner", "keras_tuner", "tuner"),
    ],
)
def test_a_submodule_names_the_extra_that_it_needs(
    statement, user, package, extra
):
    result = run_without(
        {"tensorflow", "keras_tuner"},
        f"import amp_keras\n{statement}",
        KERAS_BACKEND="jax",
    )
    assert last_line(result) == (
        f"ModuleNotFoundError: amp_keras.{user} needs {package}, which is not "
        f'installed: pip install "amp-keras[{extra}]"'
    )
