"""Clipping, decay, averages, accumulation and constraints act once."""

import gradients
import keras
import networks
import numpy as np
import pytest

import amp_keras
from amp_keras.perturbation import ascend
from amp_keras.perturbation import project

OPTIMIZERS = {
    "clipnorm": lambda: keras.optimizers.SGD(0.1, global_clipnorm=0.01),
    "weight_decay": lambda: keras.optimizers.AdamW(0.1, weight_decay=0.5),
    "ema": lambda: keras.optimizers.SGD(
        0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2
    ),
    "accumulation": lambda: keras.optimizers.SGD(
        0.1, momentum=0.9, gradient_accumulation_steps=2
    ),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizer_acts_once_at_the_restored_weights(optimizer):
    """As if it were given the perturbed gradient by hand, also constraints."""
    x, y = networks.data()

    def network():
        keras.utils.set_random_seed(0)
        return keras.Sequential(
            [
                keras.Input((networks.FEATURES,)),
                keras.layers.Dense(
                    networks.CLASSES, kernel_constraint="unit_norm"
                ),
            ]
        )

    by_hand = network()
    weights = by_hand.trainable_weights
    optimizer_by_hand = OPTIMIZERS[optimizer]()

    def gradients_at(values):
        start = [w.numpy() for w in weights]
        for weight, value in zip(weights, values, strict=True):
            weight.assign(value)
        _, result = gradients.loss_and_gradients(
            by_hand, lambda: networks.classifier_loss()(y, by_hand(x))
        )
        for weight, value in zip(weights, start, strict=True):
            weight.assign(value)
        return [keras.ops.convert_to_tensor(g) for g in result]

    for _ in range(3):
        clean = gradients_at(weights)
        zeros = [0.0 * g for g in clean]
        perturbation = project(ascend(zeros, clean, 1.0), 0.3)
        perturbed = [w + p for w, p in zip(weights, perturbation)]
        optimizer_by_hand.apply(gradients_at(perturbed), weights)

    trained = network()
    model = amp_keras.AMPModel(trained, epsilon=0.3)
    model.compile(OPTIMIZERS[optimizer](), networks.classifier_loss())
    for _ in range(3):
        model.train_on_batch(x, y)
    for a, b in zip(by_hand.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
