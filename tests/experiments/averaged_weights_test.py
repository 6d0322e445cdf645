"""The averages of the weights of a run, computed a second time in NumPy."""

import keras
import numpy as np
import pytest

from amp_keras import models
from amp_keras.experiments import distribution
from amp_keras.experiments import input_pipeline
from amp_keras.experiments import training
from amp_keras.experiments.config import TrainingConfig

STEPS_PER_EPOCH, EPOCHS, MOMENTUM = 3, 2, 0.6


def normalized(input_shape, num_classes):
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Flatten(),
            keras.layers.Dense(4),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Dense(num_classes),
        ]
    )


@pytest.fixture(autouse=True)
def normalized_network(monkeypatch):
    monkeypatch.setitem(models._BUILDERS, "resnet20", normalized)


class Records(keras.callbacks.Callback):
    """Keeps the trainable weights after each step."""

    def __init__(self):
        super().__init__()
        self.weights = []

    def on_train_batch_end(self, batch, logs=None):
        getattr(self.model, "jax_state_sync", lambda: None)()
        self.weights.append(
            [w.numpy().copy() for w in self.model.trainable_weights]
        )


def train(devices=None, **flags):
    config = TrainingConfig(
        epochs=EPOCHS,
        batch_size=16,
        train_examples=16 * STEPS_PER_EPOCH,
        learning_rate=0.5,
        verbose=0,
        **{"epsilon": 0.1, "validation_split": 0.1, **flags},
    )
    keras.utils.set_random_seed(0)
    data = input_pipeline.load_data(config)
    records, last = Records(), []
    network, progress = training.train(
        config,
        data,
        [records],
        devices,
        on_last_epoch=lambda network: last.append(network.get_weights()),
    )
    return config, data, network, progress, records.weights, last[0]


def averages(weights):
    """Those of the first step, then 0.6 of the average + 0.4 of the weights."""
    average = weights[0]
    for new in weights[1:]:
        average = [
            MOMENTUM * a + (1 - MOMENTUM) * w for a, w in zip(average, new)
        ]
    return average


def assert_averaged(config, data, network, weights):
    """Its weights are averages, its statistics those of the training data."""
    for actual, expected in zip(
        network.trainable_weights, averages(weights), strict=True
    ):
        np.testing.assert_allclose(actual.numpy(), expected, atol=1e-6)
    _, dense, normalization, *_ = network.layers[-1].layers
    before = keras.Model(network.inputs, network.layers[1].output)
    batches = input_pipeline.training_batches(
        config, data, distribution.SingleDevice(), start_step=0
    )
    seen = [
        dense(before.predict(x, verbose=0).reshape((len(x), -1)))
        for x, _ in batches.take(STEPS_PER_EPOCH)
    ]
    seen = [keras.ops.convert_to_numpy(x) for x in seen]
    for actual, expected in (
        (normalization.moving_mean, [x.mean(0) for x in seen]),
        (normalization.moving_variance, [x.var(0) for x in seen]),
    ):
        np.testing.assert_allclose(
            actual.numpy(), np.mean(expected, axis=0), rtol=1e-4, atol=1e-4
        )
    assert normalization.momentum == 0.99


def nll(network, split):
    outputs = network.predict(split.images, verbose=0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return float(loss(split.labels, outputs))


@pytest.fixture(scope="module")
def averaged():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(models._BUILDERS, "resnet20", normalized)
        return train(ema=MOMENTUM)


def test_epoch_that_counts_is_that_of_the_averages(averaged):
    config, data, network, progress, weights, last = averaged
    steps = STEPS_PER_EPOCH * progress.best_epoch
    assert_averaged(config, data, network, weights[:steps])
    losses = progress.history["val_loss"]
    assert min(losses) == pytest.approx(nll(network, data.validation), rel=1e-4)
    network.set_weights(last)
    assert_averaged(config, data, network, weights)
    assert losses[-1] == pytest.approx(nll(network, data.validation), rel=1e-4)


def test_run_without_validation_ends_at_the_averages():
    config, data, network, _, weights, _ = train(
        ema=MOMENTUM, validation_split=0.0, epsilon=0.0
    )
    assert_averaged(config, data, network, weights)


def test_training_goes_on_at_the_weights_themselves(averaged):
    *_, progress, weights, _ = averaged
    *_, plain_progress, plain, _ = train()
    for name in ("loss", "accuracy"):
        assert progress.history[name] == pytest.approx(
            plain_progress.history[name], rel=1e-6
        )
    for actual, expected in zip(weights[-1], plain[-1], strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(
    keras.config.backend() == "torch", reason="trains on one device"
)
def test_averages_on_two_devices():
    names = {"tensorflow": "mirrored", "jax": "data_parallel"}
    devices = distribution.create(names[keras.config.backend()])
    assert devices.num_replicas == 2
    *_, weights, last = train(devices, ema=MOMENTUM)
    trainable = [0, 1, 2, 3, 6, 7]
    for i, expected in zip(trainable, averages(weights), strict=True):
        np.testing.assert_allclose(last[-8:][i], expected, atol=1e-6)
