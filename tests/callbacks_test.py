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


@pytest.mark.skipif(
    keras.config.backend() == "torch", reason="torch does not trace"
)
def test_no_way_to_change_epsilon_or_weights_retraces(tmp_path):
    traces = 0

    def loss(y_true, y_pred):
        nonlocal traces
        traces += 1
        return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)

    model = compiled()
    model.compile(keras.optimizers.SGD(0.1), loss)
    fit(model, 1)
    first_epoch = traces
    model.save_weights(tmp_path / "a.weights.h5")
    model.epsilon = 0.2
    model.load_weights(tmp_path / "a.weights.h5")
    model.set_weights(model.get_weights())
    stopping = keras.callbacks.EarlyStopping(
        "loss", mode="max", patience=1, restore_best_weights=True
    )
    fit(model, 4, [AfterBatch(), stopping])
    fit(model, 1, [keras.callbacks.BackupAndRestore(tmp_path / "backup")])
    assert traces == first_epoch


def test_epsilon_is_saved_with_the_model(tmp_path):
    model = compiled()
    fit(model, 2, [EpsilonScheduler(lambda epoch: 0.1 * (epoch + 1))])
    model.save(tmp_path / "amp.keras")
    assert keras.models.load_model(tmp_path / "amp.keras").epsilon == 0.2


# Ways in which epsilon, or the weights beside it, come to change. Each returns
# the perturbation's norms in epochs that have an epsilon of 0.2, and of 0.


def on_the_sphere(epsilon):
    """A compiled model whose perturbation always has the norm `epsilon`."""
    model = amp_keras.AMPModel(
        networks.plain_mlp(), epsilon, inner_lr=1e6, log_perturbation=True
    )
    model.compile(keras.optimizers.SGD(0.01), networks.classifier_loss())
    return model


def norms(model, epochs=1, callbacks=(), **arguments):
    return fit(model, epochs, callbacks, **arguments)["perturbation_norm"]


def set_between_trainings(folder):
    model = on_the_sphere(0.0)
    plain = norms(model)
    model.epsilon = 0.2
    return norms(model), plain


def weights_loaded(folder):
    trained_plainly, trained = on_the_sphere(0.0), on_the_sphere(0.2)
    for model, name in [(trained_plainly, "plain"), (trained, "amp")]:
        norms(model)
        model.save_weights(folder / f"{name}.weights.h5")
    trained.load_weights(folder / "plain.weights.h5")
    trained_plainly.load_weights(folder / "amp.weights.h5")
    return norms(trained), norms(trained_plainly)


def weights_set(folder):
    trained_plainly, trained = on_the_sphere(0.0), on_the_sphere(0.2)
    norms(trained_plainly), norms(trained)
    values = trained.get_weights()
    trained.set_weights(trained_plainly.get_weights())
    trained_plainly.set_weights(values)
    return norms(trained), norms(trained_plainly)


def state_tree_set(folder):
    trained_plainly, trained = on_the_sphere(0.0), on_the_sphere(0.2)
    norms(trained_plainly), norms(trained)
    trees = trained.get_state_tree(), trained_plainly.get_state_tree()
    for model, tree in zip((trained_plainly, trained), trees):
        variables = tree["non_trainable_variables"]
        model.set_state_tree({"non_trainable_variables": variables})
    return norms(trained), norms(trained_plainly)


def best_weights_restored(folder):
    stopping = keras.callbacks.EarlyStopping(
        "loss", mode="max", patience=1, restore_best_weights=True
    )
    model = on_the_sphere(0.5)
    schedule = EpsilonScheduler(lambda epoch: [0.0, 0.2][epoch])
    plain, perturbed = norms(model, 2, [schedule, stopping])
    return [perturbed, *norms(model)], [plain]


def training_resumed(folder):
    """From a run with 0.5 that was stopped after one epoch."""

    def backup():
        return keras.callbacks.BackupAndRestore(folder, delete_checkpoint=False)

    fit(on_the_sphere(0.5), 1, [backup()])
    perturbed = norms(on_the_sphere(0.2), 2, [backup()])
    fit(on_the_sphere(0.5), 1, [backup()])
    return perturbed, norms(on_the_sphere(0.0), 3, [backup()])


def schedule_resumed(folder):
    def callbacks():
        backup = keras.callbacks.BackupAndRestore(
            folder, delete_checkpoint=False
        )
        return [EpsilonScheduler(lambda epoch: [0.0, 0.2][epoch]), backup]

    plain = norms(on_the_sphere(0.5), 1, callbacks())
    return norms(on_the_sphere(0.5), 2, callbacks()), plain


def saved_and_loaded(folder):
    for epsilon in (0.0, 0.2):
        on_the_sphere(epsilon).save(folder / f"{epsilon}.keras")
    return tuple(
        norms(keras.models.load_model(folder / f"{epsilon}.keras"))
        for epsilon in (0.2, 0.0)
    )


@pytest.mark.parametrize(
    "way",
    [
        set_between_trainings,
        weights_loaded,
        weights_set,
        state_tree_set,
        best_weights_restored,
        training_resumed,
        schedule_resumed,
        saved_and_loaded,
    ],
)
def test_whether_the_step_perturbs_is_never_stale(way, tmp_path):
    perturbed, plain = way(tmp_path)
    assert len(perturbed) and len(plain)
    np.testing.assert_allclose(perturbed, 0.2, rtol=1e-5)
    np.testing.assert_array_equal(plain, 0.0)


class OnAndOff(keras.callbacks.Callback):
    """Switches the perturbation on after the first of three batches."""

    def __init__(self):
        super().__init__()
        self.norms = []

    def on_train_batch_end(self, batch, logs=None):
        self.norms.append(float(logs["perturbation_norm"]))
        self.model.epsilon = [0.2, 0.2, 0.0][batch]


def test_setting_epsilon_during_fit_switches_the_perturbation():
    callback = OnAndOff()
    fit(on_the_sphere(0.0), 2, [callback])
    np.testing.assert_allclose(
        callback.norms, [0.0, 0.2, 0.2, 0.0, 0.2, 0.2], rtol=1e-5
    )


def test_epsilon_is_right_in_a_step_that_is_not_compiled():
    """The functions that Keras compiles are asked for their step directly."""
    model = on_the_sphere(0.0)
    model.epsilon = 0.2
    assert model._perturbs()
    model.epsilon = 0.0
    assert not model._perturbs()


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
