"""Settings for all tests, made before the backend starts."""

import atexit
import gc
import os
import shutil
import tempfile

# Two devices to place replicas on, before JAX is imported. Tests compile far
# longer than they compute, so XLA optimizes nothing.
os.environ["XLA_FLAGS"] = (
    "--xla_force_host_platform_device_count=2"
    " --xla_backend_optimization_level=0"
)

# On JAX, tests and the commands that they start compile the same small networks
# again and again. The processes of pytest-xdist inherit the first one's folder.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    cache = tempfile.mkdtemp(prefix="amp_keras_jax_")
    atexit.register(shutil.rmtree, cache, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = cache
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

import keras
import pytest

BACKEND = keras.config.backend()

if BACKEND == "tensorflow":
    import tensorflow as tf

    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )


# What has nothing to do with the backend is tested once, on TensorFlow, which
# also loads the data.
collect_ignore = []
if BACKEND != "tensorflow":
    collect_ignore = [
        "cli/compare_test.py",
        "cli/comparison_test.py",
        "cli/evaluate_test.py",
        "cli/golden_run_test.py",
        "cli/help_test.py",
        "cli/metrics_and_plots_test.py",
        "cli/own_data_test.py",
        "cli/train_test.py",
        "comparison",
        "datasets",
        "documented_tables_test.py",
        "models",
        "mutations_test.py",
        "cli/search_test.py",
        "search",
    ]


@pytest.fixture(autouse=True, scope="module")
def little_for_the_garbage_collector():
    # It would look at a million objects of the backend again and again, which
    # takes longer than most tests.
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def fresh_keras_state():
    # Without a collection of garbage, which takes longer than many a test.
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")
