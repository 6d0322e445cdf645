"""What the commands need, and that they leave GPUs to the backend."""

import pathlib

import keras
import pytest
from without import run_without

# Where the tests of JAX run, TensorFlow and JAX are installed.
pytestmark = pytest.mark.skipif(
    keras.config.backend() != "jax", reason="it chooses its backend itself"
)
ROOT = pathlib.Path(__file__).parents[1]
FRAMEWORKS = {"tensorflow", "jax", "torch"}


def last_line(result):
    return result.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("command", "backend", "hidden", "package", "extras"),
    [
        ("apps/train.py", None, FRAMEWORKS, "tensorflow", "apps"),
        ("apps/train.py", None, {"tensorflow"}, "tensorflow", "apps"),
        ("apps/train.py", "jax", {"tensorflow"}, "tensorflow", "apps"),
        ("apps/train.py", "jax", {"jax"}, "jax", "apps,jax"),
        ("apps/train.py", "jax", {"matplotlib"}, "matplotlib", "apps"),
        ("apps/compare.py", None, FRAMEWORKS, "tensorflow", "apps"),
        ("tuning/search.py", None, FRAMEWORKS, "tensorflow", "apps,tuner"),
        (
            "tuning/search.py",
            "jax",
            {"keras_tuner"},
            "keras_tuner",
            "apps,tuner",
        ),
    ],
)
def test_a_command_names_the_extras_that_it_needs(
    command, backend, hidden, package, extras, tmp_path
):
    path = ROOT / command
    code = (
        "import runpy, sys\n"
        f"sys.argv = [{str(path)!r}, '--dataset=digits']\n"
        f"runpy.run_path({str(path)!r}, run_name='__main__')\n"
    )
    result = run_without(
        hidden, code, KERAS_BACKEND=backend, KERAS_HOME=tmp_path
    )
    assert result.returncode == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    # TensorFlow, where it is installed, may have written before.
    answer = result.stderr if "tensorflow" in hidden else last_line(result)
    assert answer.strip() == (
        f"{path.name}: needs {package}, which is not installed: "
        f'pip install "amp-keras[{extras}]"'
    )


NOTE_HIDING = """
import sys
import tensorflow as tf

def note(devices, kind):
    sys.exit(f"hidden: {devices} {kind}")

tf.config.get_visible_devices = lambda kind: ["a GPU"]
tf.config.set_visible_devices = note
import amp_keras.datasets
print("imported")
"""


@pytest.mark.parametrize(
    "command, flag",
    [
        ("train", "--output_dir=/dev/null/run"),
        ("search", "--output_dir=/dev/null/run"),
        ("evaluate", "--run=/dev/null/run"),
        ("predict", "--run=/dev/null/run"),
    ],
)
def test_commands_hide_gpus_from_tensorflow_that_only_loads(command, flag):
    code = NOTE_HIDING + (
        "import amp_keras_commands\n"
        f"sys.argv = ['command', '{flag}']\n"
        f"amp_keras_commands.{command}()\n"
    )
    result = run_without(set(), code, KERAS_BACKEND="jax")
    assert result.stdout == "imported\n"
    assert last_line(result) == "hidden: [] GPU"


def test_gpus_stay_visible_where_tensorflow_trains():
    code = NOTE_HIDING + "amp_keras.datasets.hide_gpus_from_tensorflow()\n"
    result = run_without(set(), code, KERAS_BACKEND="tensorflow")
    assert result.returncode == 0, result.stderr
