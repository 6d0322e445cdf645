"""Replicas on the devices of one machine against one device."""

import collections
import contextlib
import re

import gradients
import keras
import networks
import numpy as np
import pytest
from keras import layers

import amp_keras
from amp_keras import batch_part
from amp_keras.perturbation import project

BACKEND = keras.config.backend()
REPLICAS = 2

pytestmark = pytest.mark.skipif(
    BACKEND == "torch", reason="Keras has no data parallelism on torch"
)


def replicas():
    """The scope in which a model is made and trained on two devices."""
    if BACKEND == "jax":
        devices = [f"cpu:{i}" for i in range(REPLICAS)]
        return keras.distribution.DataParallel(devices=devices).scope()
    from amp_keras.backend.tensorflow.distribution import Mirrored

    return Mirrored().scope()


def one_device():
    return contextlib.nullcontext()


def network():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((networks.FEATURES,)),
            layers.Dense(16, activation="tanh"),
            layers.Dense(networks.CLASSES, kernel_regularizer="l2"),
        ]
    )


def sgd():
    return keras.optimizers.SGD(0.1, momentum=0.9)


def fit_under(scope, optimizer=sgd, epochs=2, batch_size=16, **arguments):
    x, y = networks.data()
    with scope:
        trained = network()
        model = amp_keras.AMPModel(
            trained, epsilon=0.3, inner_lr=2.0, **arguments
        )
        model.compile(optimizer(), networks.classifier_loss())
        history = model.fit(
            x, y, batch_size, epochs=epochs, shuffle=False, verbose=0
        ).history
    return trained, history


def copies(variable):
    """The value of a variable on each device, as NumPy arrays."""
    if BACKEND == "jax":
        shards = variable.value.addressable_shards
        return [np.asarray(shard.data) for shard in shards]
    return [value.numpy() for value in variable.value.values]


@pytest.mark.parametrize(
    "arguments",
    [
        {"norm": "global"},
        {"norm": "per_variable"},
        {"norm": "global", "inner_iters": 2, "inner_clipnorm": 0.2},
        {"norm": "per_variable", "inner_iters": 2, "perturb": "kernel"},
        {"inner_iters": 2, "inner_fraction": 1 / 4},
    ],
    ids=str,
)
def test_replicas_equal_one_device(arguments):
    arguments = {**arguments, "log_perturbation": True}
    one, expected = fit_under(one_device(), **arguments)
    several, history = fit_under(replicas(), **arguments)
    for name in expected:
        np.testing.assert_allclose(history[name], expected[name], rtol=1e-5)
    for a, b in zip(one.get_weights(), several.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    for weight in several.weights:
        values = copies(weight)
        assert len(values) == REPLICAS
        np.testing.assert_array_equal(*values)


def test_a_scaled_loss_makes_no_difference_to_replicas():
    def scaled():
        return keras.optimizers.LossScaleOptimizer(
            keras.optimizers.SGD(0.1), initial_scale=1024.0
        )

    one, _ = fit_under(one_device(), lambda: keras.optimizers.SGD(0.1))
    several, _ = fit_under(replicas(), scaled)
    for a, b in zip(one.get_weights(), several.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def scaling_sgd():
    return keras.optimizers.LossScaleOptimizer(sgd())


@pytest.mark.parametrize("optimizer", [sgd, scaling_sgd])
@pytest.mark.parametrize(
    "synchronize", [True] if BACKEND == "jax" else [True, False]
)
def test_step_that_breaks_on_one_replica_is_taken_on_none(
    synchronize, optimizer
):
    x, y = networks.data()
    x[-1] = np.nan
    with replicas():
        trained = network()
        model = amp_keras.AMPModel(
            trained, epsilon=0.3, synchronize_perturbation=synchronize
        )
        model.compile(optimizer(), networks.classifier_loss())
        start = trained.get_weights()
        model.fit(x, y, len(x), verbose=0)
    for value, weight in zip(start, trained.weights, strict=True):
        for copy in copies(weight):
            np.testing.assert_array_equal(copy, value)


def test_epsilon_that_changes_during_training_reaches_every_replica():
    scheduler = amp_keras.callbacks.EpsilonScheduler
    x, y = networks.data()

    def fit(scope):
        with scope:
            trained = network()
            model = amp_keras.AMPModel(trained, epsilon=0.1, inner_lr=2.0)
            model.compile(sgd(), networks.classifier_loss())
            schedule = scheduler(lambda epoch: [0.1, 0.5][epoch])
            model.fit(
                x, y, 16, 2, shuffle=False, verbose=0, callbacks=[schedule]
            )
        return trained.get_weights()

    for a, b in zip(fit(one_device()), fit(replicas()), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.skipif(BACKEND == "jax", reason="one perturbation on JAX")
def test_each_replica_has_its_own_perturbation_if_asked():
    """One step: the mean of the gradients at each half's worst weights."""
    x, y = networks.data()
    trained = network()
    weights = trained.trainable_weights
    start = [w.numpy() for w in weights]

    def gradients_of_half(half, values):
        for weight, value in zip(weights, values):
            weight.assign(value)

        def loss():
            losses = networks.classifier_loss()(y[half], trained(x[half]))
            return losses + sum(trained.losses)

        return gradients.loss_and_gradients(trained, loss)[1]

    middle = len(x) // 2
    halves = []
    for half in (slice(None, middle), slice(middle, None)):
        ascent = [2.0 * g for g in gradients_of_half(half, start)]
        perturbation = project(ascent, 0.3)
        perturbed = [w + np.asarray(p) for w, p in zip(start, perturbation)]
        halves.append(gradients_of_half(half, perturbed))
    expected = [
        w - 0.1 * (first + second) / 2
        for w, first, second in zip(start, *halves)
    ]

    def step(**arguments):
        several, _ = fit_under(
            replicas(),
            epochs=1,
            batch_size=len(x),
            optimizer=lambda: keras.optimizers.SGD(0.1),
            **arguments,
        )
        return several

    several = step(synchronize_perturbation=False)
    for value, weight in zip(expected, several.weights, strict=True):
        np.testing.assert_allclose(weight.numpy(), value, atol=1e-6)
        np.testing.assert_array_equal(*copies(weight))
    difference = step().weights[0].numpy() - expected[0]
    assert np.max(np.abs(difference)) > 1e-4


@pytest.mark.skipif(BACKEND != "jax", reason="JAX has one perturbation")
def test_perturbation_of_each_replica_is_refused_where_it_cannot_be():
    with pytest.raises(ValueError, match="MirroredStrategy.*Received: sync"):
        fit_under(replicas(), synchronize_perturbation=False)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="a strategy of TensorFlow")
def test_multi_worker_strategy_is_refused_by_name():
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    with strategy.scope(), pytest.raises(ValueError, match="KERAS_BACKEND=jax"):
        amp_keras.AMPModel(network(), epsilon=0.1)


def collectives(inner_fraction):
    """The operations between devices of a compiled step, by their numbers."""
    import jax

    x, y = networks.data()
    with replicas():
        model = amp_keras.AMPModel(
            networks.plain_mlp(), epsilon=0.3, inner_fraction=inner_fraction
        )
        model.compile("sgd", networks.classifier_loss())
        model.fit(x, y, batch_size=len(x), verbose=0)
        layout_of = keras.distribution.distribution().get_data_layout
        batch = [
            jax.device_put(part, layout_of(part.shape).backend_layout)
            for part in (x, y)
        ]
        state = model._get_jax_state(
            trainable_variables=True,
            non_trainable_variables=True,
            optimizer_variables=True,
            metrics_variables=True,
        )
        step = jax.jit(model.train_step).lower(state, (*batch, None))
    text = step.compile().as_text()
    kinds = re.findall(r" (all-\w+|collective-\w+|reduce-scatter)\(", text)
    return collections.Counter(kinds)


def first_examples(batch, stride):
    return tuple(None if t is None else t[: len(t) // stride] for t in batch)


@pytest.mark.skipif(BACKEND != "jax", reason="of a sharded batch")
def test_part_of_a_sharded_batch_stays_on_its_devices(monkeypatch):
    assert collectives(1 / 8) == collectives(1.0)
    monkeypatch.setattr(batch_part, "take", first_examples)
    assert collectives(1 / 8)["collective-permute"] > 0
