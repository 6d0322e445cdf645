"""`AdaptiveEpsilon`: the rule in numbers, and runs that it steers."""

import math
import types

import keras
import networks
import numpy as np
import pytest

import amp_keras
from amp_keras.callbacks import AdaptiveEpsilon
from amp_keras.callbacks import EpsilonScheduler

EPOCHS = 4
# At most twice or half as large after each of the epochs.
PACE = 2.0**EPOCHS


def steered(losses, epsilon=0.0, **arguments):
    """Returns epsilon of each epoch and of the next one.

    Args:
        losses: Pairs of the validation loss and the perturbed loss.
    """
    model = types.SimpleNamespace(
        epsilon=epsilon, inner_lr=1e6, log_perturbation=True
    )
    callback = AdaptiveEpsilon(pace=PACE, **arguments)
    callback.set_params({"epochs": EPOCHS})
    callback.set_model(model)
    callback.on_train_begin()
    seen = []
    for epoch, (val_loss, perturbed_loss) in enumerate(losses):
        callback.on_epoch_begin(epoch)
        logs = {"val_loss": val_loss, "perturbed_loss": perturbed_loss}
        callback.on_epoch_end(epoch, logs)
        seen.append(logs["epsilon"])
    return [*seen, model.epsilon]


def test_training_is_plain_until_validation_loss_is_above_training_loss():
    losses = [(1.0, 1.2), (1.0, 0.87), (1.0, 0.86)]
    assert steered(losses) == [0, 0, 0, 0.05]
    assert steered(losses, initial=0.3) == [0, 0, 0, 0.3]


def test_losses_of_the_first_epoch_begin_nothing():
    assert steered([(3.0, 1.0), (3.0, 1.0)]) == [0, 0, 0.05]


def test_epsilon_moves_by_the_square_of_the_ratio_within_the_pace():
    losses = [(1.2, 1.0), (0.9, 1.0), (3.0, 1.0), (1.0, 3.0)]
    factors = [1, 1.44, 0.81, 2, 0.5]
    np.testing.assert_allclose(
        steered(losses, epsilon=0.1), 0.1 * np.cumprod(factors)
    )


def test_pace_is_of_the_epochs_of_the_run_and_not_of_fit():
    assert steered([(3.0, 1.0)], epsilon=0.1, epochs=2 * EPOCHS) == [
        0.1,
        pytest.approx(0.1 * 2**0.5),
    ]


def test_epsilon_stays_at_the_top_and_is_off_below_the_bottom():
    assert steered([(9, 1)] * 2, epsilon=8.0) == [8, 10, 10]
    assert steered([(1, 9)] * 2, epsilon=0.015) == [0.015, 0, 0]
    assert steered([(9, 0)], epsilon=0.1) == [0.1, 0.2]


def test_losses_that_are_not_finite_leave_it_as_it_is():
    losses = [(math.nan, 1.0), (1.0, math.inf)]
    assert steered(losses, epsilon=0.1) == [0.1, 0.1, 0.1]


def test_negative_loss_makes_the_radius_smaller():
    assert steered([(-1.0, -2.0)], epsilon=0.1) == [0.1, 0.05]


def compiled(**arguments):
    arguments = {"inner_lr": 1e6, "log_perturbation": True, **arguments}
    model = amp_keras.AMPModel(networks.plain_mlp(), 0.0, **arguments)
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9), networks.classifier_loss()
    )
    return model


def fit(model, callbacks, epochs=EPOCHS, validation=True, **arguments):
    x, y = networks.data()
    wrong = (y + 1) % networks.CLASSES
    return model.fit(
        x,
        y,
        validation_data=(x, wrong) if validation else None,
        batch_size=16,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
        **arguments,
    ).history


def weights(model):
    return [np.array(w) for w in model.get_weights()]


def test_each_epoch_trains_with_the_epsilon_in_its_logs():
    model = compiled()
    history = fit(model, [AdaptiveEpsilon(pace=PACE)])
    # Labels of validation are wrong: that loss is the higher one before long.
    assert history["epsilon"][0] == 0
    assert history["epsilon"][-1] >= 0.05
    np.testing.assert_allclose(
        history["perturbation_norm"], history["epsilon"], rtol=1e-5
    )
    scheduled = compiled()
    values = history["epsilon"]
    fit(scheduled, [EpsilonScheduler(lambda epoch: values[epoch])])
    for a, b in zip(weights(model), weights(scheduled), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


class PowerFailure(Exception):
    pass


class FailsIn(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.now == self.epoch and batch == 1:
            raise PowerFailure


def test_fit_goes_on_as_if_left_alone_by_its_state(tmp_path):
    def callbacks(*more):
        return [
            AdaptiveEpsilon(state_path=tmp_path / "epsilon.json"),
            keras.callbacks.BackupAndRestore(tmp_path / "backup"),
            *more,
        ]

    alone = compiled()
    expected = fit(alone, [AdaptiveEpsilon()])["epsilon"]
    with pytest.raises(PowerFailure):
        fit(compiled(), callbacks(FailsIn(2)))
    resumed = compiled()
    assert fit(resumed, callbacks())["epsilon"] == expected[2:]
    for a, b in zip(weights(resumed), weights(alone), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_state_is_of_the_epoch_that_fit_begins_with(tmp_path):
    """The process was killed after more epochs than the backup has."""
    path = tmp_path / "epsilon.json"
    history = fit(compiled(), [AdaptiveEpsilon(pace=PACE, state_path=path)])
    again = fit(
        compiled(),
        [AdaptiveEpsilon(pace=PACE, state_path=path)],
        initial_epoch=2,
    )
    assert again["epsilon"][0] == history["epsilon"][2]
    with pytest.raises(ValueError, match="at least 9 epochs.*of 4 epochs"):
        fit(
            compiled(),
            [AdaptiveEpsilon(state_path=path)],
            epochs=10,
            initial_epoch=9,
        )
    path.write_text("{}")
    with pytest.raises(ValueError, match="wrote.*epsilon.json.*KeyError"):
        fit(compiled(), [AdaptiveEpsilon(state_path=path)], initial_epoch=1)


def test_fit_without_what_it_needs_is_refused():
    with pytest.raises(ValueError, match="validation_data.*logs with loss"):
        fit(compiled(), [AdaptiveEpsilon()], validation=False)
    with pytest.raises(ValueError, match="log_perturbation=True"):
        fit(compiled(log_perturbation=False), [AdaptiveEpsilon()])
    with pytest.warns(UserWarning, match="inner_lr=1e6.*inner_lr=1$"):
        fit(compiled(inner_lr=1.0), [AdaptiveEpsilon()], epochs=1)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"initial": 0.0}, "in this order.*initial=0.0"),
        ({"minimum": 0.0}, "minimum=0.0"),
        ({"initial": 11.0}, "initial=11.0, maximum=10.0"),
        ({"maximum": math.inf}, "finite"),
        ({"pace": 1.0}, "> 1. Received: pace=1.0"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        AdaptiveEpsilon(**arguments)
