"""Networks from files that the tests write."""

import hashlib
import sys

import keras
import numpy as np
import pytest

from amp_keras import models
from amp_keras.errors import AMPKerasError

HEAD = """
import keras

"""
PLAIN = f"""{HEAD}
def net(input_shape, num_classes):
    return keras.Sequential([
        keras.Input(input_shape),
        keras.layers.Flatten(),
        keras.layers.Dense(num_classes),
    ])

not_a_function = 3

def none(input_shape, num_classes):
    return None

def softmax(input_shape, num_classes):
    model = net(input_shape, num_classes)
    model.add(keras.layers.Softmax())
    return model

def one_more(input_shape, num_classes):
    return net(input_shape, num_classes + 1)

def raises(input_shape, num_classes):
    raise KeyError("oh")
"""
CUSTOM = f"""{HEAD}
REGISTER
class Scale(keras.layers.Layer):
    def build(self, shape):
        self.w = self.add_weight(shape=(), initializer="ones")
    def call(self, x):
        return self.w * x

def net(input_shape, num_classes):
    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten()(Scale()(inputs))
    return keras.Model(inputs, keras.layers.Dense(num_classes)(x))
"""
REGISTERED = CUSTOM.replace(
    "REGISTER", "@keras.saving.register_keras_serializable('test')"
)
UNREGISTERED = CUSTOM.replace("REGISTER", "")
ACTIVATION = f"""{HEAD}
def square(x):
    return x * x

def net(input_shape, num_classes):
    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten()(inputs)
    x = keras.layers.Dense(num_classes, activation=square)(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes)(x))
"""


@pytest.fixture
def file(tmp_path):
    def write(text, name="net.py"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def fails(spec):
    with pytest.raises(AMPKerasError) as error:
        models.get(spec)((4, 4, 1), 3)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_function_of_a_file_builds_the_network(file):
    path = file(PLAIN)
    before = list(sys.path), set(sys.modules)
    builder = models.get(f"{path}:net")
    assert (list(sys.path), set(sys.modules)) == before
    network = builder((4, 4, 1), 3)
    assert network.output_shape == (None, 3)
    assert builder.path == str(path)
    assert builder.sha256 == hashlib.sha256(PLAIN.encode()).hexdigest()
    assert [p.name for p in path.parent.iterdir()] == ["net.py"]


def test_changed_file_is_read_anew(file):
    path = file(PLAIN)
    models.get(f"{path}:net")
    file(PLAIN.replace("Flatten()", "GlobalAveragePooling2D()"))
    network = models.get(f"{path}:net")((4, 4, 1), 3)
    assert network.count_params() == 1 * 3 + 3


def test_function_of_an_importable_module_builds_the_network(file, monkeypatch):
    path = file(PLAIN, "net_of_a_package.py")
    monkeypatch.syspath_prepend(path.parent)
    builder = models.get("net_of_a_package:net")
    assert builder((4, 4, 1), 3).output_shape == (None, 3)
    assert builder.path == str(path)
    assert builder.sha256 == hashlib.sha256(PLAIN.encode()).hexdigest()


@pytest.mark.parametrize(
    "function, message",
    [
        ("nothing", "has no function nothing"),
        ("not_a_function", "has no function not_a_function"),
        ("none", "must return a keras.Model. Received: None"),
        ("softmax", "logits, without softmax. Received: the last layer softma"),
        (
            "one_more",
            r"each of 3 classes. Received: outputs of shape (None, 4)",
        ),
        ("raises", "KeyError: 'oh' (line 26 of "),
        ("", "must be given as FILE.py:FUNCTION"),
    ],
)
def test_functions_that_do_not_do(function, message, file):
    assert message in fails(f"{file(PLAIN)}:{function}")


def test_files_that_do_not_do(file, tmp_path):
    assert "cannot be read (No such file" in fails(f"{tmp_path}/no.py:net")
    message = fails(f"{file('import keras' + chr(10) + 'def')}:net")
    assert "cannot be executed: SyntaxError" in message
    message = fails(f"{file('import no_such_module')}:net")
    assert "ModuleNotFoundError: No module named 'no_such_module'" in message
    assert "(line 1 of " in message
    assert "cannot be imported" in fails("no_such_package.net:net")


@pytest.mark.parametrize(
    "text, received", [(UNREGISTERED, "Scale"), (ACTIVATION, "")]
)
def test_what_is_not_registered_is_refused(text, received, file):
    message = fails(f"{file(text)}:net")
    assert "@keras.saving.register_keras_serializable()" in message
    assert received in message


def test_registered_layer_is_loaded_again(file, tmp_path):
    network = models.get(f"{file(REGISTERED)}:net")((4, 4, 1), 3)
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    x = np.ones((2, 4, 4, 1))
    np.testing.assert_array_equal(
        network.predict(x, verbose=0), loaded.predict(x, verbose=0)
    )


def test_registered_network_is_had_by_its_name(monkeypatch):
    monkeypatch.setattr(models, "_BUILDERS", dict(models._BUILDERS))

    def mine(input_shape, num_classes):
        return None

    assert models.register("mine", mine) is None
    assert models.get("mine") is mine
    assert models.names()[-1] == "mine"
    with pytest.raises(ValueError, match="taken.*name='resnet20'"):
        models.register("resnet20", mine)
    assert models.register("mine", print, override=True) is mine
    with pytest.raises(ValueError, match="without a colon.*'a:b'"):
        models.register("a:b", mine)
