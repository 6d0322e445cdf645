"""Keras' own callbacks on an `AMPModel`, beside those on the plain network.

At epsilon 0 both train alike, so whatever a callback does to the wrapper must
leave the same bits as what it does to the network.
"""

import json

import h5
import keras
import networks
import numpy as np
import pytest
from weights_test import NETWORKS
from weights_test import OPTIMIZERS
from weights_test import assert_same
from weights_test import state

import amp_keras

BATCH_SIZE = 16  # Three batches an epoch.


def plain(network):
    return network


def wrapped(network):
    return amp_keras.AMPModel(network, epsilon=0.0)


def compiled(wrap, optimizer=None, network=networks.plain_mlp):
    # The layers of both have the same names, by which TensorBoard logs.
    keras.utils.clear_session(free_memory=False)
    model = wrap(network())
    model.compile(
        optimizer or keras.optimizers.SGD(0.1, momentum=0.9),
        networks.classifier_loss(),
        metrics=["accuracy"],
    )
    return model


def fit(model, callbacks, epochs=3, **arguments):
    x, y = networks.data()
    return model.fit(
        x,
        y,
        batch_size=BATCH_SIZE,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
        **arguments,
    ).history


def assert_same_fit(make_callback, make_optimizer=lambda: None, **arguments):
    """Returns the history, which is the same for both, as are the weights."""
    models = [compiled(wrap, make_optimizer()) for wrap in (plain, wrapped)]
    histories = [
        fit(model, [make_callback(wrap.__name__)], **arguments)
        for model, wrap in zip(models, (plain, wrapped))
    ]
    assert histories[0] == histories[1]
    assert_same(*map(state, models))
    return histories[0]


def test_model_checkpoint_of_weights(tmp_path):
    def checkpoint(name):
        path = str(tmp_path / name) + "-{epoch}.weights.h5"
        return keras.callbacks.ModelCheckpoint(path, save_weights_only=True)

    assert_same_fit(checkpoint)
    for epoch in (1, 2, 3):
        paths = [
            tmp_path / f"{wrap.__name__}-{epoch}.weights.h5"
            for wrap in (plain, wrapped)
        ]
        h5.assert_same_arrays(*paths)


def test_model_checkpoint_of_weights_within_an_epoch(tmp_path):
    def checkpoint(name):
        return keras.callbacks.ModelCheckpoint(
            tmp_path / f"{name}.weights.h5",
            save_weights_only=True,
            save_freq=2,
        )

    assert_same_fit(checkpoint, epochs=1)
    h5.assert_same_arrays(
        tmp_path / "plain.weights.h5", tmp_path / "wrapped.weights.h5"
    )


def test_model_checkpoint_of_the_best_model(tmp_path):
    def checkpoint(name):
        return keras.callbacks.ModelCheckpoint(
            tmp_path / f"{name}.keras",
            monitor="loss",
            mode="max",
            save_best_only=True,
        )

    assert_same_fit(checkpoint)
    network, model = (
        keras.models.load_model(tmp_path / f"{wrap.__name__}.keras")
        for wrap in (plain, wrapped)
    )
    assert isinstance(model, amp_keras.AMPModel)
    assert_same(state(network), state(model))
    assert fit(network, []) == fit(model, [])
    assert_same(state(network), state(model))


class Kill(keras.callbacks.Callback):
    """Ends a run within its second epoch."""

    def __init__(self, batch):
        super().__init__()
        self.batch, self.epoch = batch, None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == (1, self.batch):
            raise KeyboardInterrupt


def killed_and_resumed(wrap, optimizer, network, folder, save_freq):
    def backup():
        return keras.callbacks.BackupAndRestore(folder, save_freq=save_freq)

    first = compiled(wrap, OPTIMIZERS[optimizer](), network)
    with pytest.raises(KeyboardInterrupt):
        fit(first, [backup(), Kill(batch=1)])
    metadata = json.loads((folder / "training_metadata.json").read_text())
    second = compiled(wrap, OPTIMIZERS[optimizer](), network)
    second.set_weights([w + 1.0 for w in second.get_weights()])
    return metadata, fit(second, [backup()]), state(second)


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
@pytest.mark.parametrize("network", NETWORKS[:3])
def test_backup_and_restore_of_a_run_that_is_killed_inside_an_epoch(
    network, optimizer, tmp_path
):
    results = [
        killed_and_resumed(
            wrap, optimizer, network, tmp_path / wrap.__name__, save_freq=2
        )
        for wrap in (plain, wrapped)
    ]
    (metadata, history, values), (*others, other_values) = results
    assert [metadata, history] == others
    assert metadata["epoch"] == 1
    assert_same(values, other_values)


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_backup_and_restore_ends_as_an_uninterrupted_run(optimizer, tmp_path):
    """With a perturbation; the killed run had saved the end of its epoch."""

    def perturbed(network):
        return amp_keras.AMPModel(network, epsilon=0.3)

    *_, values = killed_and_resumed(
        perturbed, optimizer, networks.plain_mlp, tmp_path, save_freq="epoch"
    )
    alone = compiled(perturbed, OPTIMIZERS[optimizer]())
    fit(alone, [])
    assert_same(values, state(alone))


def test_early_stopping_that_restores_the_best_weights():
    def early_stopping(name):
        return keras.callbacks.EarlyStopping(
            "loss", mode="max", patience=2, restore_best_weights=True
        )

    history = assert_same_fit(early_stopping, epochs=9)
    assert len(history["loss"]) == 3


def test_swap_ema_weights(tmp_path):
    def optimizer():
        return keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)

    x, y = networks.data()
    history = assert_same_fit(
        lambda name: keras.callbacks.SwapEMAWeights(swap_on_epoch=True),
        optimizer,
        validation_data=(x, y),
    )
    plainly = fit(compiled(plain, optimizer()), [], validation_data=(x, y))
    assert history["val_loss"] != plainly["val_loss"]


def test_reduce_lr_on_plateau():
    history = assert_same_fit(
        lambda name: keras.callbacks.ReduceLROnPlateau(
            "loss", factor=0.5, patience=1, min_delta=1e3
        ),
    )
    np.testing.assert_allclose(
        history["learning_rate"], [0.1, 0.1, 0.05], rtol=1e-6
    )


def test_csv_logger(tmp_path):
    assert_same_fit(
        lambda name: keras.callbacks.CSVLogger(tmp_path / f"{name}.csv")
    )
    text = (tmp_path / "plain.csv").read_text()
    assert text == (tmp_path / "wrapped.csv").read_text()
    assert text.startswith("epoch,accuracy,loss,")


def test_tensor_board(tmp_path):
    pytest.importorskip("tensorboard")
    pytest.importorskip("tensorflow")

    def tensor_board(name):
        return keras.callbacks.TensorBoard(
            tmp_path / name, histogram_freq=1, update_freq=1
        )

    assert_same_fit(tensor_board)
    expected, logged = (
        logged_values(tmp_path / wrap.__name__) for wrap in (plain, wrapped)
    )
    # The graph of a Sequential or functional model.
    del expected["keras"]
    assert {"epoch_loss", "epoch_accuracy", "batch_loss"} < set(expected)
    assert expected.keys() == logged.keys()
    for tag, values in expected.items():
        assert values == logged[tag], tag


def logged_values(folder):
    """The tensors of TensorBoard's logs as bytes, a dict of lists by tag."""
    from tensorboard.backend.event_processing import event_accumulator

    accumulator = event_accumulator.EventAccumulator(str(folder / "train"))
    accumulator.Reload()
    return {
        tag: [
            event.tensor_proto.SerializeToString()
            for event in accumulator.Tensors(tag)
        ]
        for tag in accumulator.Tags()["tensors"]
    }
