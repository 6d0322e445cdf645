"""
Title: Training on wrong labels with a network of your own
Author: amp_keras developers
Date created: 2026/11/28
Last modified: 2026/11/29
Description: Plain `fit()` learns wrong labels by heart, `AMPModel` hardly.
Accelerator: None
"""

"""
## Introduction

A network that is large enough fits whatever labels it is given, the wrong ones
too: first it learns what most labels agree on, then it learns the others by
heart, and forgets part of what it knew. Adversarial Model Perturbation (AMP,
[Zheng, Zhang and Mao, CVPR 2021](https://arxiv.org/abs/2010.04925)) minimizes
the loss at the worst weights within a ball around the weights: what was learned
by heart needs finely tuned weights, and its loss is high nearby.

This guide trains a small network on scikit-learn's digits, of whose labels 40 %
are wrong, by plain `fit()` and by `AMPModel`. It chooses epsilon, the radius of
the ball, on validation data *whose labels are as wrong as those of the training
data*, since you have no others, and looks at the test set, whose labels are
right, at the end only. It takes a minute or two on two CPU cores and needs `pip
install scikit-learn matplotlib` beside amp_keras.
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
## The data, and its wrong labels

A fifth of the images is for the test, a fifth of the others for validation. Of
the training labels 40 % are replaced by one of the nine other classes, and as
many of the validation labels. NumPy draws them, so that they are the same on
each backend.
"""

wrong_share = 0.4
generator = np.random.default_rng(0)

digits = load_digits()
images = (digits.images / 16).astype("float32")
order = generator.permutation(len(images))
test, rest = np.split(order, [len(order) // 5])
validation, train = np.split(rest, [len(rest) // 5])

labels = digits.target.copy()
for part in train, validation:
    wrong = generator.choice(
        part, round(wrong_share * len(part)), replace=False
    )
    labels[wrong] += generator.integers(1, 10, len(wrong))
    labels[wrong] %= 10

for name, part in [
    ("training", train),
    ("validation", validation),
    ("test", test),
]:
    wrong = 100 * np.mean(labels[part] != digits.target[part])
    print(f"{name:10} {len(part):5} images, {wrong:4.1f} % wrong labels")

"""
## A network

Nothing about it knows of AMP. Setting the seed here gives every network below
the same initial weights, and every `fit()` the same order of the batches.
"""


def make_network():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((8, 8)),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(10),
        ]
    )


"""
## Training, plainly and by AMP

Both are trained by the same function, since an `AMPModel` is a Keras model. The
learning rate falls to zero, by which the last epoch is a fair one to compare.
The callback keeps the weights of every epoch, for looking back at the end.

(That 60 epochs at this learning rate are enough to learn wrong labels by heart
was known from trials in which the test images had been looked at. Epsilon is
not chosen so, here.)
"""


class WeightsOfEachEpoch(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.weights = []

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(self.model.get_weights())


def train_model(model):
    """Returns the history and the weights of each epoch."""
    epochs = 60
    batch_size = 64
    steps = epochs * -(-len(train) // batch_size)
    learning_rate = keras.optimizers.schedules.CosineDecay(0.1, steps)
    model.compile(
        optimizer=keras.optimizers.SGD(
            learning_rate, momentum=0.9, nesterov=True
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    kept = WeightsOfEachEpoch()
    fitted = model.fit(
        images[train],
        labels[train],
        batch_size=batch_size,
        epochs=epochs,
        validation_data=(images[validation], labels[validation]),
        callbacks=[kept],
        verbose=0,
    )
    return fitted.history, kept.weights


def show(name, history):
    print(
        f"{name:20} validation accuracy {history['val_accuracy'][-1]:.3f}, "
        f"validation loss {history['val_loss'][-1]:6.3f}, "
        f"training accuracy {history['accuracy'][-1]:.3f}"
    )


plain_history, plain_weights = train_model(make_network())
show("plain", plain_history)

"""
Validation accuracy cannot be much above 0.6 here: of the labels to agree with,
only that share is right.

Epsilon depends on the network and on how long it is trained, so several values
are tried, a factor of two to three apart. If the best were the smallest or the
largest of them, it would be right to go on beyond it. Where two large values
give the same numbers, the ascent does not reach the ball's edge, and still
larger ones would, too: see [epsilon.md](../epsilon.md).
"""

amp_runs = {}
for epsilon in [0.1, 0.2, 0.5, 1.0, 2.0]:
    model = amp_keras.AMPModel(make_network(), epsilon=epsilon)
    amp_runs[epsilon] = train_model(model)
    show(f"AMP, epsilon {epsilon}", amp_runs[epsilon][0])

"""
The choice is by validation accuracy after the last epoch; of equal ones the
lower validation loss is better.
"""


def best_by_validation(runs):
    """Returns the key of the best run."""

    def score(epsilon):
        history = runs[epsilon][0]
        return history["val_accuracy"][-1], -history["val_loss"][-1]

    return max(runs, key=score)


best_epsilon = best_by_validation(amp_runs)
print(f"epsilon {best_epsilon} is chosen")

"""
## The cheap ascent

A step of AMP costs two passes over the batch. With `inner_fraction=1/8` the
first of them, which finds the perturbation, sees every eighth example only, and
a step costs 1.125. Epsilon is chosen anew: that of the whole batch need not
suit the ascent on a part of it, which mostly asks for a larger one.
"""

cheap_runs = {}
for epsilon in [0.2, 0.5, 1.0, 2.0]:
    model = amp_keras.AMPModel(
        make_network(), epsilon=epsilon, inner_fraction=1 / 8
    )
    cheap_runs[epsilon] = train_model(model)
    show(f"1/8, epsilon {epsilon}", cheap_runs[epsilon][0])

best_cheap_epsilon = best_by_validation(cheap_runs)
print(f"epsilon {best_cheap_epsilon} is chosen")

"""
## The free rival

Plain training learns the wrong labels late. So a rival that costs nothing is
plain training with the weights of its best epoch on the validation data, which
`keras.callbacks.ModelCheckpoint(save_best_only=True)` keeps.
"""

best_epoch = int(np.argmax(plain_history["val_accuracy"]))
print(
    f"plain training is best after epoch {best_epoch + 1}: "
    f"validation accuracy {plain_history['val_accuracy'][best_epoch]:.3f}"
)

"""
## The test set

All choices are made. Beside the error, the table has the negative
log-likelihood (NLL) and the expected calibration error (ECE).
"""

network = make_network()


def logits_of(weights, part):
    network.set_weights(weights)
    return keras.ops.convert_to_numpy(network(images[part]))


def error_of(weights, part):
    predicted = np.argmax(logits_of(weights, part), axis=-1)
    return 100 * np.mean(predicted != labels[part])


cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
finalists = {
    "plain": (1, plain_weights[-1]),
    "plain, best epoch": (1, plain_weights[best_epoch]),
    "AMP": (2, amp_runs[best_epsilon][1][-1]),
    "AMP, 1/8": (1.125, cheap_runs[best_cheap_epsilon][1][-1]),
}
test_errors = {}
print(f"{'':20}passes  test error %     NLL    ECE")
for name, (passes, weights) in finalists.items():
    logits = logits_of(weights, test)
    calibration_error = amp_keras.evaluation.expected_calibration_error(
        labels[test], logits, from_logits=True
    )
    test_errors[name] = error_of(weights, test)
    print(
        f"{name:20}{passes:6.3f}{test_errors[name]:14.1f}"
        f"{float(cross_entropy(labels[test], logits)):8.3f}"
        f"{calibration_error:7.3f}"
    )
print(f"(one test image is {100 / len(test):.2f} %)")

"""
Judge by error and NLL, and not by ECE. A network that has learned that many
labels are wrong gives its class a probability of about 0.6, and here, where all
labels are right, it is right far more often: it is *under*confident, which is
what its training data taught it. The ECE counts that as it counts
overconfidence, and can be lowest for a network that is wrong most often:
[evaluation.md](../evaluation.md#how-to-read-it) has more.

This is one seed and a small test set: a difference of a few images is none.
`apps/compare.py` compares methods over seeds
([comparison.md](../comparison.md)).
"""

"""
## What happened

The weights of each epoch, on the labels that the network was trained on and on
the test set:
"""

figure, axes = plt.subplots(
    1, 2, figsize=(8, 3), sharey=True, layout="constrained"
)
runs = {
    "plain": plain_weights,
    f"AMP, epsilon {best_epsilon}": amp_runs[best_epsilon][1],
    f"1/8, epsilon {best_cheap_epsilon}": cheap_runs[best_cheap_epsilon][1],
}
for part, title, axis in [
    (train, "training labels, 40 % of them wrong", axes[0]),
    (test, "test labels, all right", axes[1]),
]:
    for name, weights_by_epoch in runs.items():
        accuracies = [100 - error_of(w, part) for w in weights_by_epoch]
        axis.plot(range(1, len(accuracies) + 1), accuracies, label=name)
    axis.set(title=title, xlabel="epoch")
axes[0].set_ylabel("accuracy %")
axes[0].legend()
figure.savefig("wrong_labels.png", dpi=80)

"""
![Accuracy on training and test labels by epoch](wrong_labels.png)

Plain training passes through a good network and leaves it: while its accuracy
on the training labels goes on rising beyond the share that is right, that on
the test set falls. That of AMP stays near that share, and its test accuracy up.
The rival stops in the right place, if the wrong validation labels show it; AMP
needs no such luck, since its last epoch is a good one.

## What to take along

- Wrap the network, and choose epsilon on validation data like your training
  data: they need not be clean.
- `inner_fraction=1/8` has most of the gain for an eighth of the price, in
  passes over the data: a network as small as this saves little time. Choose its
  epsilon anew.
- Try the free rival beside it.
- AMP helps here since the network can learn its training data by heart. One
  that cannot gains nothing, and is harmed by a large epsilon.
"""
