"""A run from Python, without a command line."""

import json

import keras
import numpy as np
import pytest
import scipy.optimize
import scipy.special

from amp_keras import models
from amp_keras.errors import AMPKerasError
from amp_keras.experiments import train_and_evaluate as experiment
from amp_keras.experiments.checkpoint_callback import Interrupted
from amp_keras.experiments.config import TrainingConfig
from amp_keras.experiments.default_epsilon import default_epsilon
from amp_keras.experiments.input_pipeline import load_data
from amp_keras.experiments.run_directory import RunDirectory
from amp_keras.experiments.train_and_evaluate import train_and_evaluate


def tiny(input_shape, num_classes):
    inputs = keras.Input(input_shape)
    x = keras.layers.Dense(4)(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Dense(num_classes)(x))


@pytest.fixture(autouse=True)
def tiny_network(monkeypatch):
    monkeypatch.setitem(models._BUILDERS, "resnet20", tiny)


def small(train_examples=64, **settings):
    return TrainingConfig(
        epochs=2,
        train_examples=train_examples,
        batch_size=32,
        distribution="none",
        verbose=0,
        **settings,
    )


def weights(folder):
    return keras.models.load_model(folder / "model.keras").get_weights()


def test_run_from_python_leaves_its_folder(tmp_path, monkeypatch):
    config, folder = small(), tmp_path / "run"
    metrics = train_and_evaluate(config, str(folder))
    assert metrics == json.loads((folder / "metrics.json").read_text())
    epsilon, origin = default_epsilon("resnet20", "global")
    assert metrics["epsilon"] == epsilon
    written = json.loads((folder / "config.json").read_text())
    assert written["epsilon_origin"] == origin
    assert written["learning_rate"] == 0.1
    assert config.epsilon is None
    # (64 + 1) * 4 of the one layer and (4 + 1) * 10 of the other.
    assert metrics["num_parameters"] == 310
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        *RunDirectory.written,
    } - {"checkpoints"}
    monkeypatch.setattr(experiment, "train", None)
    assert train_and_evaluate(config, folder) == metrics


def log_probabilities(network, split):
    logits = network.predict(split.images.astype("float32"), verbose=0)
    return scipy.special.log_softmax(logits.astype("float64"), axis=-1)


def negative_log_likelihood(logits, labels):
    of_labels = scipy.special.log_softmax(logits, axis=-1)
    return -of_labels[np.arange(len(labels)), labels].mean()


def scaled_by_scipy(network, data):
    """Returns the temperature of validation data and the test loss at it."""
    of_validation = log_probabilities(network, data.validation)
    temperature = scipy.optimize.minimize_scalar(
        lambda t: negative_log_likelihood(
            of_validation / t, data.validation.labels
        ),
        bounds=(0.05, 99),
        method="bounded",
        options={"xatol": 1e-6},
    ).x
    of_test = log_probabilities(network, data.test) / temperature
    return temperature, negative_log_likelihood(of_test, data.test.labels)


class LastWeights(keras.callbacks.Callback):
    def on_train_end(self, logs=None):
        self.values = self.model.model.get_weights()


def overfitting(**settings):
    """Returns what has its lowest validation loss before the last epoch."""
    return small(
        epsilon=0.0,
        validation_split=0.2,
        learning_rate=0.3,
        warmup_epochs=0.0,
        train_examples=256,
        **settings,
    )


def test_kept_and_last_epoch_are_scaled_by_what_fits_validation_data(tmp_path):
    config = overfitting()
    last = LastWeights()
    metrics = train_and_evaluate(config, tmp_path / "run", callbacks=[last])
    assert metrics["epoch"] == 1
    network = keras.models.load_model(tmp_path / "run" / "model.keras")
    data = load_data(config)
    errors = np.exp(log_probabilities(network, data.test))
    errors -= np.eye(10)[data.test.labels]
    assert metrics["test_brier"] == pytest.approx(
        np.mean(np.sum(errors**2, axis=-1)), rel=1e-4
    )
    for prefix in ("test", "last_test"):
        temperature, loss = scaled_by_scipy(network, data)
        assert temperature != pytest.approx(1, rel=0.05)
        assert metrics[f"{prefix}_temperature"] == pytest.approx(
            temperature, rel=1e-3
        )
        assert metrics[f"{prefix}_loss_scaled"] == pytest.approx(loss, rel=1e-4)
        network.set_weights(last.values)


def test_the_network_of_the_last_epoch_is_kept_if_asked_for(tmp_path):
    config = overfitting(restore_best_weights=False)
    last = LastWeights()
    metrics = train_and_evaluate(config, tmp_path / "run", callbacks=[last])
    assert metrics["epoch"] == metrics["epochs"] == config.epochs > 1
    network = keras.models.load_model(tmp_path / "run" / "model.keras")
    for ours, theirs in zip(network.get_weights(), last.values, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert metrics["test_loss"] == metrics["last_test_loss"]
    page = (tmp_path / "run" / "README.md").read_text()
    assert "the network is that of the last epoch." in page


def test_without_validation_data_there_is_no_temperature(tmp_path):
    metrics = train_and_evaluate(small(epsilon=0.0), tmp_path / "run")
    assert "test_brier" in metrics
    assert not [k for k in metrics if "scaled" in k or "temperature" in k]


def test_stopped_run_goes_on_to_the_weights_of_one_left_alone(tmp_path):
    config = small(epsilon=0.1)
    with pytest.raises(Interrupted):
        train_and_evaluate(config, tmp_path / "run", should_stop=lambda: True)
    assert not (tmp_path / "run" / "metrics.json").exists()
    train_and_evaluate(config, tmp_path / "run")
    train_and_evaluate(config, tmp_path / "alone")
    for ours, theirs in zip(
        weights(tmp_path / "run"), weights(tmp_path / "alone"), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_open_folder_stays_open_and_a_named_one_is_closed(tmp_path):
    config = small(epsilon=0.1)
    directory = RunDirectory(tmp_path / "run", experiment.settings(config))
    train_and_evaluate(config, directory)
    with pytest.raises(AMPKerasError, match="in use by another process"):
        train_and_evaluate(config, tmp_path / "run")
    directory.close()
    with pytest.raises(AMPKerasError, match="--epsilon is 0.1, not 0.2"):
        train_and_evaluate(small(epsilon=0.2), tmp_path / "run")
    train_and_evaluate(config, tmp_path / "run")
