"""
Title: A transformer for time series
Author: amp_keras developers
Date created: 2026/11/28
Last modified: 2026/11/28
Description: A transformer and AdamW, with AMP, on digits read row by row.
Accelerator: None
"""

"""
## Introduction

`AMPModel` takes any network of Keras and any of its optimizers. Here these are
a small transformer that classifies sequences, with a layer of its own for the
positions, and AdamW. The question is an everyday one: the labels are right, the
training examples few. Does Adversarial Model Perturbation (AMP, [Zheng, Zhang
and Mao, CVPR 2021](https://arxiv.org/abs/2010.04925)) help, and by how much
more than the luck of a seed?

The data are a *stand-in* for a time series: scikit-learn's digits, read row by
row, 8 steps of 8 numbers. They are real, and there without a download, but
images in disguise. For a series of yours, change the shape of the input; to a
transformer both are sequences of vectors.

It takes a minute or two on two CPU cores and needs `pip install scikit-learn
matplotlib` beside amp_keras.
"""

"""
## Setup

`KERAS_BACKEND` may be `tensorflow`, `jax` or `torch`. The numbers differ a
little between them, since each draws other initial weights.
"""

import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import amp_keras

print(f"Keras {keras.__version__} on {keras.config.backend()}")

"""
## The data

A third of the sequences is for the test, a sixth for validation.
"""

digits = load_digits()
series = (digits.images / 16).astype("float32")
labels = digits.target
order = np.random.default_rng(0).permutation(len(series))
test, validation, train = np.split(order, [len(order) // 3, len(order) // 2])
num_steps, num_features = series.shape[1:]
print(
    f"{len(train)} training, {len(validation)} validation and {len(test)} test "
    f"sequences of {num_steps} steps of {num_features} numbers"
)

"""
## The transformer

Attention does not know the order of the steps, so that a vector for each
position is learned and added. Everything else is layers of Keras. In every step
of AMP both passes see the same dropout masks; that needs nothing from you.
"""


class AddPositions(keras.layers.Layer):
    def build(self, input_shape):
        self.positions = self.add_weight(
            shape=input_shape[1:], initializer="random_normal", name="positions"
        )

    def call(self, inputs):
        return inputs + self.positions


def make_network(seed, width=32, num_blocks=1, num_heads=4, dropout=0.1):
    """The seed decides on weights, dropout and the order of the batches."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((num_steps, num_features))
    x = AddPositions()(keras.layers.Dense(width)(inputs))
    for _ in range(num_blocks):
        attended = keras.layers.LayerNormalization()(x)
        attended = keras.layers.MultiHeadAttention(
            num_heads, width // num_heads, dropout=dropout
        )(attended, attended)
        x = x + keras.layers.Dropout(dropout)(attended)
        transformed = keras.layers.LayerNormalization()(x)
        transformed = keras.layers.Dense(2 * width, activation="gelu")(
            transformed
        )
        transformed = keras.layers.Dense(width)(transformed)
        x = x + keras.layers.Dropout(dropout)(transformed)
    x = keras.layers.GlobalAveragePooling1D()(
        keras.layers.LayerNormalization()(x)
    )
    return keras.Model(inputs, keras.layers.Dense(10)(x))


print(f"{make_network(0).count_params()} weights")

"""
## Training

The optimizer gets its gradients from AMP and does with them what it always
does: its weight decay acts once a step, on the weights themselves.
"""


def train_model(model):
    """Trains a network or an `AMPModel`, and returns the history."""
    epochs = 40
    batch_size = 64
    steps = epochs * -(-len(train) // batch_size)
    learning_rate = keras.optimizers.schedules.CosineDecay(0.003, steps)
    model.compile(
        optimizer=keras.optimizers.AdamW(learning_rate, weight_decay=0.01),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model.fit(
        series[train],
        labels[train],
        batch_size=batch_size,
        epochs=epochs,
        validation_data=(series[validation], labels[validation]),
        verbose=0,
    ).history


def show(name, history):
    print(
        f"{name:17} training loss {history['loss'][-1]:.4f}, "
        f"validation loss {history['val_loss'][-1]:.4f}, "
        f"validation accuracy {history['val_accuracy'][-1]:.3f}"
    )


"""
## Epsilon, by validation loss

With right labels the loss tells more than the accuracy, which counts a few
images only. One seed finds the order of magnitude. Epsilon 0 is plain training.
"""

validation_losses = {}
for epsilon in [0, 0.05, 0.1, 0.2, 0.5]:
    history = train_model(
        amp_keras.AMPModel(make_network(seed=0), epsilon=epsilon)
    )
    show(f"epsilon {epsilon}", history)
    validation_losses[epsilon] = history["val_loss"][-1]

del validation_losses[0]
best_epsilon = min(validation_losses, key=validation_losses.get)
print(f"epsilon {best_epsilon} is chosen")

"""
## Three seeds

Each of three new seeds trains plainly and by AMP, from the same initial weights
and with the same batches, and then the test set is looked at. For plain
training nothing is wrapped.
"""


def test_results(network):
    """Returns the error in % and the negative log-likelihood (NLL)."""
    nll, accuracy = network.evaluate(series[test], labels[test], verbose=0)
    return 100 * (1 - accuracy), nll


histories = {"plain": [], "AMP": []}
results = {"plain": [], "AMP": []}
for seed in [1, 2, 3]:
    for name in results:
        model = make_network(seed)
        if name == "AMP":
            model = amp_keras.AMPModel(model, epsilon=best_epsilon)
        histories[name].append(train_model(model))
        results[name].append(test_results(model))
        error, nll = results[name][-1]
        print(f"seed {seed}, {name:5}  test error {error:.2f} %, NLL {nll:.3f}")

print(f"(one test sequence is {100 / len(test):.2f} %)")
for number, quantity in enumerate(["error in %", "NLL"]):
    differences = [
        amp[number] - plain[number]
        for plain, amp in zip(results["plain"], results["AMP"])
    ]
    mean, spread = np.mean(differences), np.std(differences, ddof=1)
    print(f"AMP minus plain, {quantity}: {mean:+.3f}, spread {spread:.3f}")

"""
The differences are those of pairs with the same seed, and the spread is their
standard deviation. A mean that is not well beyond its spread is no difference,
with whatever sign; three seeds cannot show a small one.

The validation loss of each run by epoch:
"""

figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
for name, color in [("plain", "C0"), ("AMP", "C1")]:
    for number, history in enumerate(histories[name]):
        axis.plot(
            range(1, len(history["val_loss"]) + 1),
            history["val_loss"],
            color=color,
            label=None if number else name,
        )
axis.set(xlabel="epoch", ylabel="validation loss", yscale="log")
axis.legend()
figure.savefig("transformer_time_series.png", dpi=80)

"""
![Validation loss by epoch, three seeds each](transformer_time_series.png)

## What it says

In the run of this page AMP does not help: with each of the three seeds its
error and its NLL on the test set are the higher ones. That the first seed's
validation loss was lowest with an epsilon above 0 was luck, which three seeds
undo.

The training losses above and the picture show why. A larger epsilon leaves a
higher training loss: AMP slows fitting. And the validation loss of plain
training falls and stays low, so that what it fits late does no harm, and there
is little that AMP could prevent. Compare [the guide about wrong
labels](wrong_labels.md), where plain training fits what it should not.

## What to take along

- Any network, any optimizer: wrapping it is one line.
- Train plainly first. Where the validation loss does not rise while the
  training loss falls, expect little of AMP.
- Before you believe a choice that one seed made, repeat it with others, and
  compare pairs of the same seed.
"""
