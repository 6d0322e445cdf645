"""
Title: Fine-tuning a network of keras.applications on carelessly labelled images
Author: amp_keras developers
Date created: 2026/11/28
Last modified: 2026/11/29
Description: Frozen normalization, a small epsilon, and three rivals.
Accelerator: None
"""

"""
## Introduction

Someone else's network, a few hundred images of your own, labels that somebody
clicked in a hurry: fine-tuning fits the wrong ones within a few epochs.
Adversarial Model Perturbation (AMP, [Zheng, Zhang and Mao, CVPR
2021](https://arxiv.org/abs/2010.04925)) makes that harder. How large is its
epsilon when a network is fine-tuned, and is it better than what costs less:
plain fine-tuning with a chosen learning rate, stopping early, and a frozen
network with a new head?

So that it runs without a download, this guide first trains the "pre-trained"
network itself: the first layers of MobileNet, on scikit-learn's digits 0 to 4.
The images to fine-tune it on are digits 5 to 9, 60 of each. With a network
connection you would write `weights="imagenet"` in the one line that says
`weights=None`, and leave the section "Pre-training" out.

It takes three to five minutes on two CPU cores and needs `pip install
scikit-learn matplotlib` beside amp_keras.
"""

"""
## Setup

`KERAS_BACKEND` may be `tensorflow`, `jax` or `torch`. The numbers differ
between them, since each draws other initial weights.
"""

import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import amp_keras

print(f"Keras {keras.__version__} on {keras.config.backend()}")

"""
## The data

The networks of `keras.applications` want images of 32x32 pixels or more, in
three colours, MobileNet with numbers from -1 to 1. The digits have 8x8 pixels
in one, so each becomes 4x4 in three.

Of the digits 5 to 9 a third is for the test. From the others each seed draws
images of its own, and gives 30 % of them, in training and validation alike, the
label of another digit. The labels of the test set are right.
"""

digits = load_digits()
images = (digits.images / 8 - 1).astype("float32")
images = images.repeat(4, axis=1).repeat(4, axis=2)[..., None].repeat(3, axis=3)

old = np.flatnonzero(digits.target < 5)
new = np.random.default_rng(0).permutation(np.flatnonzero(digits.target >= 5))
labels = digits.target % 5
test, pool = new[: len(new) // 3], new[len(new) // 3 :]


def draw_data(seed):
    """Returns training and validation data, 60 and 40 images per class."""
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(pool)
    classes = [shuffled[labels[shuffled] == label] for label in range(5)]
    data = []
    for part in [slice(0, 60), slice(60, 100)]:
        chosen = np.concatenate([indices[part] for indices in classes])
        given = labels[chosen]
        wrong = rng.choice(len(given), round(0.3 * len(given)), replace=False)
        given[wrong] = (given[wrong] + rng.integers(1, 5, len(wrong))) % 5
        data.append((images[chosen], given))
    return data


training, validation = draw_data(seed=0)
print(
    f"{len(old)} images to pre-train on; {len(training[1])} to fine-tune on, "
    f"{len(validation[1])} for validation, {len(test)} for the test"
)

"""
## Pre-training

What tells digits apart is found by the first layers, and small images leave
nothing for the last ones to see, so that the network is cut after its fifth
block.
"""

keras.utils.set_random_seed(0)
mobilenet = keras.applications.MobileNet(
    alpha=0.25, input_shape=(32, 32, 3), include_top=False, weights=None
)
pretrained = keras.Model(
    mobilenet.input, mobilenet.get_layer("conv_pw_5_relu").output
)


def add_head(backbone):
    return keras.Sequential(
        [
            backbone,
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(5, name="head"),
        ]
    )


cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
first = add_head(pretrained)
first.compile(keras.optimizers.Adam(0.003), cross_entropy, metrics=["accuracy"])
first.fit(images[old], labels[old], batch_size=32, epochs=20, verbose=0)
loss, accuracy = first.evaluate(images[old], labels[old], verbose=0)
print(f"digits 0 to 4: accuracy {accuracy:.3f}, loss {loss:.3f}")

"""
## The network to fine-tune

The pre-trained layers get a new head. Batch normalization is frozen, as usual
when few images are at hand: `trainable = False` has these layers use the
averages of pre-training, in both passes of AMP, and AMP perturbs no frozen
weights. (Calling the backbone with `training=False` is not enough: in Keras
3.15 the call of the outer model overrides it in `fit()`.)
"""


def make_network(seed, frozen=False):
    """The seed decides on the head and on the order of the batches."""
    backbone = keras.models.clone_model(pretrained)
    backbone.set_weights(pretrained.get_weights())
    for layer in backbone.layers:
        if frozen or isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    keras.utils.set_random_seed(seed)
    return add_head(backbone)


def fine_tune(model, seed, learning_rate, callbacks=None, epochs=30):
    """Trains a network or an `AMPModel`, and returns the history."""
    training, validation = draw_data(seed)
    batch_size = 20
    steps = epochs * len(training[1]) // batch_size
    model.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(learning_rate, steps)
        ),
        cross_entropy,
        metrics=["accuracy"],
    )
    return model.fit(
        *training,
        batch_size=batch_size,
        epochs=epochs,
        validation_data=validation,
        validation_batch_size=len(validation[1]),
        callbacks=callbacks,
        verbose=0,
    ).history


def show(name, history):
    """Prints the end of a training and returns its validation accuracy."""
    print(
        f"{name:17} training accuracy {history['accuracy'][-1]:.3f}, "
        f"validation accuracy {history['val_accuracy'][-1]:.3f}"
    )
    return history["val_accuracy"][-1]


"""
## Three values each

Validation accuracy, of labels as wrong as those of training, chooses the
learning rate of plain fine-tuning from three, and then AMP's epsilon from
three, at the middle rate.
"""

by_rate = {}
for rate in [0.001, 0.003, 0.01]:
    by_rate[rate] = show(f"plain, {rate}", fine_tune(make_network(0), 0, rate))

by_epsilon = {}
for epsilon in [0.05, 0.1, 0.2]:
    model = amp_keras.AMPModel(make_network(0), epsilon=epsilon)
    by_epsilon[epsilon] = show(
        f"AMP, epsilon {epsilon}", fine_tune(model, 0, learning_rate=0.003)
    )

best_rate = max(by_rate, key=by_rate.get)
best_epsilon = max(by_epsilon, key=by_epsilon.get)
print(f"learning rate {best_rate} and epsilon {best_epsilon} are chosen")

"""
## Three seeds

Each of three new seeds draws other images, and trains by each method from the
same weights with the same batches. Early stopping goes back to the epoch with
the lowest validation loss; the frozen network trains its head only. Then the
test set is looked at.
"""


def train_method(name, seed):
    network = make_network(seed, frozen=name == "frozen")
    if name == "plain":
        fine_tune(network, seed, best_rate)
    elif name == "early stopping":
        stop = keras.callbacks.EarlyStopping(
            "val_loss", patience=8, restore_best_weights=True
        )
        fine_tune(network, seed, best_rate, [stop])
    elif name == "frozen":
        fine_tune(network, seed, learning_rate=0.1)
    else:
        model = amp_keras.AMPModel(network, epsilon=best_epsilon)
        fine_tune(model, seed, learning_rate=0.003)
    return network


def test_results(network):
    """Returns the error in % and the negative log-likelihood (NLL)."""
    logits = keras.ops.convert_to_numpy(network(images[test], training=False))
    error = 100 * np.mean(np.argmax(logits, axis=-1) != labels[test])
    return float(error), float(cross_entropy(labels[test], logits))


methods = ["plain", "early stopping", "frozen", "AMP"]
results = {name: [] for name in methods}
for seed in [1, 2, 3]:
    for name in methods:
        results[name].append(test_results(train_method(name, seed)))
        error, nll = results[name][-1]
        print(f"seed {seed}, {name:14}  error {error:5.2f} %, NLL {nll:.3f}")

for name in methods:
    error, nll = np.mean(results[name], axis=0)
    print(f"means, {name:14}  error {error:5.2f} %, NLL {nll:.3f}")

"""
A line is a seed: the same images, wrong labels, first weights and batches.
"""

figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
for number, title in enumerate(["test error in %", "test NLL"]):
    for seed in range(3):
        values = [results[name][seed][number] for name in methods]
        axes[number].plot(methods, values, "o:")
    axes[number].set(title=title, ylim=(0, None))
figure.savefig("fine_tuning.png", dpi=80)

"""
![Test error and NLL by method](fine_tuning.png)

## What it says

Plain fine-tuning ends by fitting wrong labels, and its test error shows it.
Stopping early costs nothing and recovers a part of that error, not with every
seed. In the frozen network what served five digits is not enough for five
others. AMP trains the whole network, at two passes a step instead of one, and
fits fewer of the wrong labels: 77 % of all training labels with seed 0, of
which 70 % are right, where plain training fits 98 %.

A good epsilon is small here: with twice as much the gain on the validation data
is gone, and with four times as much the network fits nothing. (0.05 and plain
training's learning rate are the smallest that were tried, so that smaller ones
may be better, and AMP's learning rate was not chosen at all.) In [the guide
about wrong labels](wrong_labels.md) values ten times as large serve. A likely
reason is the frozen normalization: nothing undoes what a perturbation does to
the scale of an output, and each layer hands it on to the next.

Of fine-tuning on right labels this page shows nothing.

## What to take along

- Freeze batch normalization layer by layer, by `trainable = False`. AMP leaves
  out what is frozen.
- Begin with an epsilon of a few hundredths, on a logarithmic scale, and go on
  beyond the values tried if the best is at the end.
- `perturb="head"`, a regular expression to be found in a variable's path, would
  perturb the head alone, with an epsilon of its own.
- Try stopping early, which is free, and give AMP's epsilon as many validation
  runs as the learning rate.
"""
