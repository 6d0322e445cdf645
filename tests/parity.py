"""The parity of the backends: `fit()` against AMP written in NumPy.

All backends start from the same weights and see the same batches for two
epochs.
"""

import keras
import networks
import numpy as np
import numpy_amp
from keras import layers

BATCH, EPOCHS, HIDDEN = 12, 2, 16
LEARNING_RATE, MOMENTUM = 0.1, 0.9
CASES = [
    {"norm": norm, "inner_iters": inner_iters, "epsilon": epsilon}
    for norm, epsilon in (("global", 0.2), ("per_variable", 0.1))
    for inner_iters in (0, 1, 3)
]
CASES += [
    {**case, "inner_fraction": 1 / 3} for case in CASES if case["inner_iters"]
]
INNER_LR = 0.5
MODES = {
    "tensorflow": {
        "graph": {},
        "eager": {"run_eagerly": True},
        "XLA": {"jit_compile": True},
    },
    "jax": {"jit": {}, "eager": {"run_eagerly": True}},
    "torch": {"eager": {}, "compiled": {"jit_compile": True}},
}


def title(case):
    """What a test or a row of a table is named."""
    name = f"{case['norm']}, N={case['inner_iters']}"
    stride = round(1 / case.get("inner_fraction", 1.0))
    return name if stride == 1 else f"{name}, 1/{stride} of the batch"


def start_weights():
    """Kernel, bias, gamma, beta, kernel, bias; the same on every backend."""
    rng = np.random.default_rng(0)
    shapes = [(networks.FEATURES, HIDDEN), (HIDDEN,), (HIDDEN,), (HIDDEN,)]
    shapes += [(HIDDEN, networks.CLASSES), (networks.CLASSES,)]
    weights = [0.3 * rng.normal(size=s).astype("float32") for s in shapes]
    weights[2] += 1.0
    return weights


def network():
    model = keras.Sequential(
        [
            keras.Input((networks.FEATURES,)),
            layers.Dense(HIDDEN),
            layers.BatchNormalization(
                momentum=numpy_amp.MOMENTUM_OF_BATCH_NORM,
                epsilon=numpy_amp.EPSILON_OF_BATCH_NORM,
            ),
            layers.Activation("tanh"),
            layers.Dense(
                networks.CLASSES,
                kernel_regularizer=keras.regularizers.L2(numpy_amp.L2),
            ),
        ]
    )
    for variable, value in zip(model.trainable_weights, start_weights()):
        variable.assign(value)
    return model


def largest_difference(case, compile_arguments):
    """Trains in both ways and returns the largest absolute difference."""
    import amp_keras

    x, y = networks.data()
    trained = network()
    model = amp_keras.AMPModel(trained, inner_lr=INNER_LR, **case)
    model.compile(
        keras.optimizers.SGD(LEARNING_RATE, MOMENTUM),
        networks.classifier_loss(),
        **compile_arguments,
    )
    history = model.fit(
        x, y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0
    ).history
    starts = range(0, len(x), BATCH)
    batches = [(x[i : i + BATCH], y[i : i + BATCH]) for i in starts]
    fraction = case.get("inner_fraction", 1.0)
    case = {k: v for k, v in case.items() if k != "inner_fraction"}
    weights, mean, variance, losses = numpy_amp.train(
        start_weights(),
        batches * EPOCHS,
        LEARNING_RATE,
        MOMENTUM,
        inner_lr=INNER_LR,
        inner_stride=round(1 / fraction),
        **case,
    )
    expected = [*weights, mean, variance]
    actual = [
        *(w.numpy() for w in trained.trainable_weights),
        *(trained.layers[1].moving_mean.numpy(),),
        *(trained.layers[1].moving_variance.numpy(),),
    ]
    expected.append(np.reshape(losses, (EPOCHS, -1)).mean(axis=1))
    actual.append(np.asarray(history["loss"]))
    pairs = zip(actual, expected, strict=True)
    return max(float(np.max(np.abs(a - e))) for a, e in pairs)
