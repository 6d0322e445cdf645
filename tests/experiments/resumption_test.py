"""A run that stops anywhere and goes on ends as if it had never stopped."""

import dataclasses

import keras
import numpy as np
import pytest

from amp_keras import models
from amp_keras.errors import AMPKerasError
from amp_keras.experiments import distribution
from amp_keras.experiments import input_pipeline
from amp_keras.experiments import training
from amp_keras.experiments.checkpoint_callback import Interrupted
from amp_keras.experiments.checkpoints import Checkpoints
from amp_keras.experiments.config import TrainingConfig

STEPS_PER_EPOCH, EPOCHS = 3, 2
CONFIG = TrainingConfig(
    epsilon=0.1,
    epochs=EPOCHS,
    batch_size=16,
    train_examples=16 * STEPS_PER_EPOCH,
    validation_split=0.1,
    cutout=2,
    mixup=0.3,
    label_smoothing=0.1,
    inner_fraction=1 / 4,
    log_perturbation=True,
    verbose=0,
)
# torch draws dropout from a generator of its own, which nothing here saves.
DROPOUT = 0.0 if keras.config.backend() == "torch" else 0.3


def noisy(input_shape, num_classes):
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Conv2D(4, 3, strides=2),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
            keras.layers.Dropout(DROPOUT),
            keras.layers.Dense(num_classes),
        ]
    )


@pytest.fixture(autouse=True)
def noisy_network(monkeypatch):
    monkeypatch.setitem(models._BUILDERS, "resnet20", noisy)


class PowerFailure(Exception):
    """What a test raises where a process would be killed."""


class FailsAt(keras.callbacks.Callback):
    """Ends everything after the batch or the epoch of a step."""

    def __init__(self, step, after_epoch):
        super().__init__()
        self.step, self.after_epoch = step, after_epoch

    def on_train_begin(self, logs=None):
        self.done = int(self.model.optimizer.iterations.numpy())

    def on_train_batch_end(self, batch, logs=None):
        self.done += 1
        if self.done == self.step and not self.after_epoch:
            raise PowerFailure

    def on_epoch_end(self, epoch, logs=None):
        if self.done == self.step:
            raise PowerFailure


def train(callbacks=(), devices=None, config=CONFIG, **keeping):
    keras.utils.set_random_seed(config.seed)
    data = input_pipeline.load_data(config)
    network, progress = training.train(
        config, data, callbacks, devices, **keeping
    )
    assert progress.step == STEPS_PER_EPOCH * EPOCHS
    return network.get_weights(), progress


@pytest.fixture(scope="module")
def left_alone():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(models._BUILDERS, "resnet20", noisy)
        return train()


def assert_same(run, other):
    weights, progress = run
    other_weights, other_progress = other
    assert progress.history == other_progress.history
    assert progress.best_epoch == other_progress.best_epoch
    for a, b in zip(weights, other_weights, strict=True):
        np.testing.assert_array_equal(a, b)


def assert_same_but_for_rounding(run, other):
    losses = [progress.history["loss"] for _, progress in (run, other)]
    np.testing.assert_allclose(*losses, rtol=1e-5)
    for a, b in zip(run[0], other[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "step, after_epoch",
    [
        pytest.param(1, False, marks=pytest.mark.slow),
        (3, False),
        (3, True),
        (5, False),
        (6, True),
    ],
)
def test_killed_run_ends_as_if_left_alone(
    step, after_epoch, left_alone, tmp_path
):
    """With checkpoints at steps 2, 3, 4 and 6: lost is what came after."""
    keeping = {"checkpoints": Checkpoints(tmp_path / "c"), "every_steps": 2}
    with pytest.raises(PowerFailure):
        train([FailsAt(step, after_epoch)], **keeping)
    assert_same(train(**keeping), left_alone)


@pytest.mark.parametrize(
    "changes",
    [
        {"perturbation": "random", "inner_fraction": 1.0, "gce": 0.5},
        {"optimizer": "adamw", "weight_decay": 0.1},
        {"restore_best_weights": False},
    ],
    ids=["random perturbation", "adamw", "last epoch"],
)
def test_killed_run_of_other_methods_ends_as_if_left_alone(changes, tmp_path):
    """It goes on within its first epoch, and so trains in two parts."""
    config = dataclasses.replace(CONFIG, ema=0.6, **changes)
    keeping = {"checkpoints": Checkpoints(tmp_path / "c"), "every_steps": 2}
    with pytest.raises(PowerFailure):
        train([FailsAt(3, False)], config=config, **keeping)
    alone = train(config=config)
    assert (alone[1].best_epoch is not None) == config.restore_best_weights
    assert_same(train(config=config, **keeping), alone)


def test_killed_run_whose_radius_is_set_ends_as_if_left_alone(
    tmp_path, monkeypatch
):
    """The radius was set after the first epoch; it is killed in the second."""
    monkeypatch.setattr("amp_keras.callbacks._BEGIN", 0.0)
    monkeypatch.setattr("amp_keras.callbacks._EARLIEST", 0)
    config = dataclasses.replace(
        CONFIG, epsilon=0.05, adapt_epsilon=True, inner_lr=1e6
    )
    keeping = {"checkpoints": Checkpoints(tmp_path / "c"), "every_steps": 2}
    with pytest.raises(PowerFailure):
        train([FailsAt(5, False)], config=config, **keeping)
    alone = train(config=config)
    assert alone[1].history["epsilon"] == [0.0, 0.05]
    assert_same(train(config=config, **keeping), alone)


@pytest.mark.skipif(
    keras.config.backend() == "torch", reason="trains on one device"
)
def test_killed_run_on_two_devices_ends_as_if_left_alone(tmp_path):
    names = {"tensorflow": "mirrored", "jax": "data_parallel"}
    devices = distribution.create(names[keras.config.backend()])
    assert devices.num_replicas == 2
    keeping = {"checkpoints": Checkpoints(tmp_path / "c"), "every_steps": 2}
    with pytest.raises(PowerFailure):
        train([FailsAt(5, False)], devices, **keeping)
    resumed, left_alone = train((), devices, **keeping), train((), devices)
    if keras.config.backend() == "jax":
        assert_same(resumed, left_alone)
    else:
        # A replica of TensorFlow has batch statistics of its own, of which the
        # mean is saved.
        assert_same_but_for_rounding(resumed, left_alone)


def test_run_can_be_stopped_at_every_step(left_alone, tmp_path):
    keeping = {"checkpoints": Checkpoints(tmp_path / "c")}
    stops = 0
    while True:
        try:
            resumed = train(**keeping, should_stop=lambda: True)
        except Interrupted:
            stops += 1
        else:
            break
    # Where a stop and the end of the last epoch meet there is nothing left.
    assert stops == STEPS_PER_EPOCH * EPOCHS
    assert_same(resumed, left_alone)


def interrupted_run(tmp_path, step=5):
    """Leaves checkpoints of the steps 3 and 4."""
    kept = Checkpoints(tmp_path / "c")
    with pytest.raises(PowerFailure):
        train([FailsAt(step, False)], checkpoints=kept, every_steps=2)
    assert [path.name for path in kept.paths()] == [
        "step-4.checkpoint",
        "step-3.checkpoint",
    ]
    return kept


def cut(path):
    path.write_bytes(path.read_bytes()[:-1000])


def test_damaged_checkpoint_is_reported_and_the_one_before_used(
    left_alone, tmp_path, capsys
):
    kept = interrupted_run(tmp_path)
    cut(kept.folder / "step-4.checkpoint")
    assert_same(train(checkpoints=kept), left_alone)
    printed = capsys.readouterr().out
    assert "step-4.checkpoint is damaged" in printed
    assert "going on after step 3" in printed


def test_run_without_a_whole_checkpoint_begins_anew(left_alone, tmp_path):
    kept = interrupted_run(tmp_path)
    for path in kept.paths():
        cut(path)
    assert_same(train(checkpoints=kept), left_alone)


def test_checkpoint_of_another_network_is_refused(tmp_path, monkeypatch):
    kept = interrupted_run(tmp_path)
    monkeypatch.setitem(
        models._BUILDERS,
        "resnet20",
        lambda shape, classes: keras.Sequential(
            [
                keras.Input(shape),
                keras.layers.Flatten(),
                keras.layers.Dense(classes),
            ]
        ),
    )
    with pytest.raises(AMPKerasError, match="of another network: network/"):
        train(checkpoints=kept)


def test_epsilon_and_its_schedule_go_on(tmp_path):
    """What sets it by hand is not asked again; a schedule is."""

    class Halves(keras.callbacks.Callback):
        def __init__(self, at_step):
            super().__init__()
            self.at_step = at_step

        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations.numpy()) == self.at_step:
                self.model.epsilon = 0.05

    alone = train([Halves(2)])
    kept = Checkpoints(tmp_path / "c")
    with pytest.raises(PowerFailure):
        train([Halves(2), FailsAt(5, False)], checkpoints=kept)
    resumed = train(checkpoints=kept)
    assert alone[1].history["epsilon"] == [0.05, 0.05]
    assert_same(resumed, alone)
