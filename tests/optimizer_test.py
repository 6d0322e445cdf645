"""Clipping, decay, averages, accumulation and constraints act once."""

import keras
import networks
import numpy as np
import pytest
import tensorflow as tf

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
    for _ in range(3):
        with tf.GradientTape() as tape:
            loss = networks.classifier_loss()(y, by_hand(x))
        clean = tape.gradient(loss, [w.value for w in weights])
        perturbation = project(
            ascend([0.0 * g for g in clean], clean, 1.0), 0.3
        )
        substitution = zip(weights, map(tf.add, weights, perturbation))
        substitution = list(substitution)
        perturbed = [value for _, value in substitution]
        with tf.GradientTape() as tape:
            tape.watch(perturbed)
            with keras.StatelessScope(substitution):
                loss = networks.classifier_loss()(y, by_hand(x))
        optimizer_by_hand.apply(tape.gradient(loss, perturbed), weights)

    trained = network()
    model = amp_keras.AMPModel(trained, epsilon=0.3)
    model.compile(OPTIMIZERS[optimizer](), networks.classifier_loss())
    for _ in range(3):
        model.train_on_batch(x, y)
    for a, b in zip(by_hand.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
