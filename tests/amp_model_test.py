"""What `AMPModel` is as a Keras model: arguments, configuration, saving."""

import subprocess
import sys

import keras
import networks
import numpy as np
import pytest

import amp_keras

FLOAT = "must be a finite float >= 0. Received: "
INT = "must be an int >= 0. Received: "


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("epsilon", -1.0, f"`epsilon` {FLOAT}epsilon=-1.0"),
        ("epsilon", float("nan"), f"`epsilon` {FLOAT}epsilon=nan"),
        ("epsilon", float("inf"), f"`epsilon` {FLOAT}epsilon=inf"),
        ("epsilon", "a", f"`epsilon` {FLOAT}epsilon='a'"),
        ("epsilon", True, f"`epsilon` {FLOAT}epsilon=True"),
        ("epsilon", None, f"`epsilon` {FLOAT}epsilon=None"),
        ("inner_lr", -0.5, f"`inner_lr` {FLOAT}inner_lr=-0.5"),
        ("inner_clipnorm", -1.0, f"`inner_clipnorm` {FLOAT}inner_clipnorm=-1"),
        ("inner_clipnorm", 0, "`inner_clipnorm` must be None or a float > 0"),
        ("inner_iters", 1.5, f"`inner_iters` {INT}inner_iters=1.5"),
        ("inner_iters", -1, f"`inner_iters` {INT}inner_iters=-1"),
        ("inner_iters", True, f"`inner_iters` {INT}inner_iters=True"),
        ("norm", "l1", r"`norm` must be one of \('global', 'per_variable'\)"),
        ("norm", ["global"], "`norm` must be one of"),
        ("model", 3, "`model` must be a `keras.Model`. Received: model=3"),
        ("model", keras.layers.Dense(1), "`model` must be a `keras.Model`"),
    ],
)
def test_wrong_argument_raises_at_construction(name, value, message):
    arguments = {"model": networks.plain_mlp(), "epsilon": 0.1, name: value}
    with pytest.raises(ValueError, match=message):
        amp_keras.AMPModel(**arguments)


def test_epsilon_has_no_default():
    with pytest.raises(TypeError, match="epsilon"):
        amp_keras.AMPModel(networks.plain_mlp())


def test_numpy_numbers_are_accepted():
    model = amp_keras.AMPModel(
        networks.plain_mlp(), np.float32(0.5), inner_iters=np.int64(2)
    )
    assert (model.epsilon, model.inner_iters) == (0.5, 2)


class OwnTrainStep(keras.Model):
    def train_step(self, data):
        return {}


class OwnLoss(keras.Model):
    def compute_loss(self, *args, **kwargs):
        return 0.0


class OwnPrediction(keras.Model):
    def predict_step(self, data):
        return 0.0


@pytest.mark.parametrize(
    "cls, method",
    [
        (OwnTrainStep, "train_step"),
        (OwnLoss, "compute_loss"),
        (OwnPrediction, "predict_step"),
    ],
)
def test_model_with_its_own_training_is_refused(cls, method):
    with pytest.raises(ValueError, match=rf"must not define `{method}`"):
        amp_keras.AMPModel(cls(), epsilon=0.1)


@pytest.mark.parametrize(
    "name",
    [
        "inner_lr",
        "inner_iters",
        "norm",
        "perturb",
        "inner_clipnorm",
        "synchronize_perturbation",
        "log_perturbation",
        "inner_fraction",
    ],
)
def test_arguments_cannot_be_changed_behind_a_compiled_step(name):
    model = amp_keras.AMPModel(networks.plain_mlp(), epsilon=0.1)
    with pytest.raises(AttributeError, match=name):
        setattr(model, name, 0.5)


def test_amp_model_cannot_be_wrapped_again():
    model = amp_keras.AMPModel(networks.plain_mlp(), epsilon=0.1)
    with pytest.raises(ValueError, match="must not define `.*_step"):
        amp_keras.AMPModel(model, epsilon=0.1)


ARGUMENTS = {
    "name": "amp",
    "epsilon": 0.2,
    "inner_lr": 0.5,
    "inner_iters": 2,
    "norm": "per_variable",
    "perturb": "kernel",
    "inner_clipnorm": 9.0,
    "synchronize_perturbation": False,
    "log_perturbation": True,
    "inner_fraction": 0.25,
}


def trained(epochs=1):
    model = amp_keras.AMPModel(networks.plain_mlp(), **ARGUMENTS)
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        networks.classifier_loss(),
        metrics=["accuracy"],
    )
    fit(model, epochs)
    return model


def fit(model, epochs=1):
    x, y = networks.data()
    model.fit(x, y, batch_size=16, epochs=epochs, shuffle=False, verbose=0)


def assert_same_weights(a, b):
    for left, right in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def arguments_of(model):
    return {name: getattr(model, name) for name in ARGUMENTS}


def test_config_round_trip():
    model = trained()
    copy = amp_keras.AMPModel.from_config(model.get_config())
    assert arguments_of(model) == ARGUMENTS
    assert arguments_of(copy) == ARGUMENTS
    assert copy.model.get_config() == model.model.get_config()


def test_clone_model_has_the_arguments_and_new_weights():
    model = trained()
    clone = keras.models.clone_model(model)
    assert isinstance(clone, amp_keras.AMPModel)
    assert arguments_of(clone) == arguments_of(model)
    kernel, cloned = (m.model.get_weights()[0] for m in (model, clone))
    assert kernel.shape == cloned.shape
    assert not np.array_equal(kernel, cloned)


def test_saved_model_goes_on_training_as_if_never_saved(tmp_path):
    expected = trained(epochs=3)
    trained(epochs=1).save(tmp_path / "amp.keras")
    model = keras.models.load_model(tmp_path / "amp.keras")
    assert isinstance(model, amp_keras.AMPModel)
    assert arguments_of(model) == arguments_of(expected)
    fit(model, epochs=2)
    assert_same_weights(model, expected)


def test_weights_file_loads_into_a_new_model(tmp_path):
    model = trained()
    model.save_weights(tmp_path / "amp.weights.h5")
    other = amp_keras.AMPModel(networks.plain_mlp(seed=1), epsilon=0.3)
    other.load_weights(tmp_path / "amp.weights.h5")
    assert_same_weights(model, other)


@keras.saving.register_keras_serializable(package="tests")
class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.out = keras.layers.Dense(networks.CLASSES)

    def call(self, inputs):
        return self.out(inputs)


def test_subclassed_model_is_saved_and_loaded(tmp_path):
    x, y = networks.data()
    model = amp_keras.AMPModel(Subclassed(), epsilon=0.1)
    model.compile(keras.optimizers.Adam(), networks.classifier_loss())
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "amp.keras")
    loaded = keras.models.load_model(tmp_path / "amp.keras")
    assert_same_weights(model, loaded)
    np.testing.assert_array_equal(
        model.predict(x, verbose=0), loaded.predict(x, verbose=0)
    )


def test_plain_network_loads_where_amp_keras_is_not_installed(tmp_path):
    model = trained()
    model.model.save(tmp_path / "plain.keras")
    x, _ = networks.data()
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", model.predict(x, verbose=0))
    code = (
        "import sys; sys.modules['amp_keras'] = None\n"
        "import keras, numpy as np\n"
        f"network = keras.models.load_model(r'{tmp_path}/plain.keras')\n"
        f"y = network.predict(np.load(r'{tmp_path}/x.npy'), verbose=0)\n"
        f"np.testing.assert_array_equal(y, np.load(r'{tmp_path}/y.npy'))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_evaluate_and_predict_are_those_of_the_plain_network():
    x, y = networks.data()
    model = trained()
    np.testing.assert_array_equal(
        model.predict(x, verbose=0), model.model.predict(x, verbose=0)
    )
    model.model.compile(loss=networks.classifier_loss(), metrics=["accuracy"])
    assert model.evaluate(x, y, verbose=0) == model.model.evaluate(
        x, y, verbose=0
    )


def test_build_creates_the_variables():
    network = keras.Sequential([keras.layers.Dense(3)])
    model = amp_keras.AMPModel(network, epsilon=0.1)
    assert not network.weights
    model.build((None, 4))
    assert [tuple(w.shape) for w in network.weights] == [(4, 3), (3,)]


@pytest.mark.skipif(
    keras.config.backend() == "torch", reason="torch does not trace"
)
def test_epoch_does_not_retrace():
    traces = 0

    def loss(y_true, y_pred):
        nonlocal traces
        traces += 1
        return keras.losses.mean_squared_error(y_true, y_pred)

    x, _ = networks.data()
    model = amp_keras.AMPModel(networks.plain_mlp(), epsilon=0.1, inner_iters=2)
    model.compile(keras.optimizers.SGD(0.1), loss)
    model.fit(x, x[:, :3], batch_size=16, epochs=1, verbose=0)
    first_epoch = traces
    model.fit(x, x[:, :3], batch_size=16, epochs=3, verbose=0)
    assert traces == first_epoch
