"""`EpsilonScheduler`, and an epsilon that changes while a model trains."""

import keras
import networks
import numpy as np
import pytest

import amp_keras
from amp_keras.callbacks import EpsilonScheduler


def compiled(epsilon=0.5, network=None, **arguments):
    model = amp_keras.AMPModel(network or networks.plain_mlp(), epsilon)
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        networks.classifier_loss(),
        **arguments,
    )
    return model


def fit(model, epochs, callbacks=(), **arguments):
    x, y = networks.data()
    return model.fit(
        x,
        y,
        batch_size=16,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=list(callbacks),
        **arguments,
    ).history


SCHEDULES = {
    "warm_up": (lambda epoch: 0.05 * min(1.0, epoch / 2), [0.0, 0.025, 0.05]),
    "linear": (
        keras.optimizers.schedules.PolynomialDecay(0.3, 3, 0.0),
        [0.3, 0.2, 0.1],
    ),
    "cosine": (
        keras.optimizers.schedules.CosineDecay(0.4, 4),
        [0.4, 0.2 * (1 + 0.5**0.5), 0.2],
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_epsilon_follows_the_schedule_in_the_logs(name):
    schedule, expected = SCHEDULES[name]
    history = fit(compiled(), 3, [EpsilonScheduler(schedule)])
    np.testing.assert_allclose(history["epsilon"], expected, atol=1e-7)


@pytest.mark.parametrize("mode", networks.MODES, ids=networks.first_key)
def test_each_epoch_trains_with_its_own_epsilon(mode):
    """Through 0, which is another program, and back."""
    values = [0.5, 0.0, 1.0]
    scheduled = compiled(epsilon=0.7, **mode)
    fit(scheduled, 3, [EpsilonScheduler(lambda epoch: values[epoch])])
    by_hand = compiled(**mode)
    for epoch, epsilon in enumerate(values):
        by_hand.epsilon = epsilon
        fit(by_hand, epoch + 1, initial_epoch=epoch)
    for a, b in zip(scheduled.weights, by_hand.weights, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-6)
    constant = compiled(epsilon=0.5, **mode)
    fit(constant, 3)
    a, b = (m.model.get_weights()[0] for m in (scheduled, constant))
    assert not np.allclose(a, b, atol=1e-4)


class AfterBatch(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 0:
            self.model.epsilon = 1.0


def test_epsilon_can_change_between_batches():
    x, y = networks.data()
    changed = compiled(epsilon=0.1)
    fit(changed, 1, [AfterBatch()])
    by_hand = compiled(epsilon=0.1)
    for start in range(0, len(x), 16):
        by_hand.train_on_batch(x[start : start + 16], y[start : start + 16])
        by_hand.epsilon = 1.0
    for a, b in zip(changed.weights, by_hand.weights, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-6)


@pytest.mark.skipif(
    keras.config.backend() == "torch", reason="torch does not trace"
)
def test_changing_epsilon_does_not_retrace():
    traces = 0

    def loss(y_true, y_pred):
        nonlocal traces
        traces += 1
        return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)

    model = compiled()
    model.compile(keras.optimizers.SGD(0.1), loss)
    fit(model, 1)
    first_epoch = traces
    fit(model, 4, [EpsilonScheduler(lambda epoch: 0.1 + epoch)])
    assert traces == first_epoch


def test_epsilon_is_saved_with_model_and_weights(tmp_path):
    model = compiled()
    fit(model, 2, [EpsilonScheduler(lambda epoch: 0.1 * (epoch + 1))])
    model.save(tmp_path / "amp.keras")
    model.save_weights(tmp_path / "amp.weights.h5")
    assert keras.models.load_model(tmp_path / "amp.keras").epsilon == 0.2
    other = compiled(epsilon=0.9)
    other.load_weights(tmp_path / "amp.weights.h5")
    assert other.epsilon == 0.2


def test_schedule_that_is_not_a_function_is_refused():
    with pytest.raises(ValueError, match="`schedule` must be .*schedule=0.5"):
        EpsilonScheduler(0.5)


def test_schedule_that_leaves_the_range_is_refused():
    with pytest.raises(ValueError, match="`epsilon` must be .*epsilon=-0.1"):
        fit(compiled(), 1, [EpsilonScheduler(lambda epoch: -0.1)])


def test_other_models_are_refused():
    model = networks.plain_mlp()
    model.compile(keras.optimizers.SGD(0.1), networks.classifier_loss())
    with pytest.raises(ValueError, match="used with an `AMPModel`"):
        fit(model, 1, [EpsilonScheduler(lambda epoch: 0.1)])
