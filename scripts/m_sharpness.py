"""Whether parts of a batch gain by a perturbation each ("m-sharpness").

```
KERAS_BACKEND=tensorflow python scripts/m_sharpness.py FIGURE.png
```

A small MLP on digits with 40 % wrong labels, batches of 64, with one
perturbation from all of the batch, one from 16 of its examples, and one for
each quarter from its own 16. The latter is what four replicas do with
`synchronize_perturbation=False`; here it is four steps of 16 examples whose
gradients the optimizer averages before it moves the weights. It prints the
error (%) on clean test labels after the last epoch, mean and standard deviation
over three seeds, and draws it.
"""

import sys

import keras
import matplotlib.figure
import numpy as np
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from amp_keras.amp_model import AMPModel
from amp_keras.experiments import markdown

EPSILONS = (0, 0.125, 0.25, 0.5, 1, 2)
SEEDS = (0, 1, 2)
WRONG = 0.4
BATCH, PARTS = 64, 4
# The share of the batch that the ascent sees, and into how many steps a batch
# is divided.
ASCENTS = {
    "one, from 64 examples": (1, 1),
    "one, from 16": (1 / PARTS, 1),
    "4, each from 16": (1, PARTS),
}


def main(path):
    errors = {
        name: [
            [train(*how, epsilon, seed) for seed in SEEDS]
            for epsilon in EPSILONS
        ]
        for name, how in ASCENTS.items()
    }
    print(markdown.table(["perturbation", *map(str, EPSILONS)], rows(errors)))
    draw(errors, path)


def train(inner_fraction, steps, epsilon, seed):
    """Returns the test error (%) after the last epoch."""
    x, x_test, y, y_test = digits_with_wrong_labels(seed)
    keras.utils.set_random_seed(seed)
    network = keras.Sequential(
        [
            layers.Dense(128, "relu"),
            layers.Dense(128, "relu"),
            layers.Dense(10),
        ]
    )
    model = AMPModel(network, epsilon, inner_fraction=inner_fraction)
    model.compile(
        keras.optimizers.SGD(
            0.1,
            momentum=0.9,
            gradient_accumulation_steps=steps if steps > 1 else None,
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(x, y, BATCH // steps, 40, 0)
    return 100 * (1 - model.evaluate(x_test, y_test, verbose=0)[1])


def digits_with_wrong_labels(seed):
    data = load_digits()
    x, x_test, y, y_test = train_test_split(
        data.data / 16,
        data.target,
        test_size=360,
        stratify=data.target,
        random_state=0,
    )
    # A multiple of the batch, so that all are of one size.
    x, y = x[:1408], y[:1408]
    random = np.random.default_rng(seed)
    is_wrong = random.random(len(y)) < WRONG
    others = (y + random.integers(1, 10, len(y))) % 10
    return x, x_test, np.where(is_wrong, others, y), y_test


def rows(errors):
    table = []
    for name, of_method in errors.items():
        means, stds = mean_and_std(of_method)
        cells = [f"{mean:.1f} ± {std:.1f}" for mean, std in zip(means, stds)]
        table.append([name, *cells])
    return table


def mean_and_std(of_method):
    return np.mean(of_method, axis=1), np.std(of_method, axis=1, ddof=1)


def draw(errors, path):
    figure = matplotlib.figure.Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for name, (_, *perturbed) in errors.items():
        means, stds = mean_and_std(perturbed)
        axes.errorbar(
            EPSILONS[1:], means, stds, fmt="o-", label=name, capsize=3
        )
    plain = [of_method[0] for of_method in errors.values()]
    axes.axhline(
        np.mean(plain), color="gray", linestyle="--", label="plain training"
    )
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set(xlabel="epsilon", ylabel="test error %")
    axes.grid(alpha=0.3)
    axes.legend(title="perturbation")
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main(*sys.argv[1:])
