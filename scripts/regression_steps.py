"""How long the ascent's step is where the loss is a squared error.

```
KERAS_BACKEND=torch python scripts/regression_steps.py FIGURE.png
```

A small MLP on scikit-learn's diabetes data, with its targets in units of their
standard deviation times a factor, with which the gradients grow.
It prints, for each factor and `inner_lr`, the mean norm of the perturbation
over the last epoch, the share of steps in which it reached epsilon, and the
validation error in standard deviations, means over three seeds.
"""

import sys

import keras
import matplotlib.figure
import numpy as np
from keras import layers
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale

from amp_keras.amp_model import AMPModel
from amp_keras.experiments import markdown

EPSILON = 0.5
FACTORS = (0.1, 1, 10)
INNER_LRS = (0.01, 0.1, 1, 10, 100, 1e6)
SEEDS = (0, 1, 2)
COLUMNS = (
    "targets times",
    "inner_lr",
    "norm of the perturbation",
    "share clipped",
    "validation error",
)


def main(path):
    data = load_diabetes()
    x, y = scale(data.data), scale(data.target)
    rows = []
    for factor in FACTORS:
        for inner_lr in (0, *INNER_LRS):
            runs = [train(x, factor * y, inner_lr, seed) for seed in SEEDS]
            norm, clipped, error = np.mean(runs, axis=0).tolist()
            rows.append([factor, inner_lr, norm, clipped, error / factor])
    print(markdown.table(COLUMNS, rows))
    draw(rows, path)


def train(x, y, inner_lr, seed):
    """Returns what the last epoch says, the error in units of the targets."""
    x, x_val, y, y_val = train_test_split(
        x, y, test_size=0.3, random_state=seed
    )
    keras.utils.set_random_seed(seed)
    network = keras.Sequential(
        [
            layers.Dense(64, "relu"),
            layers.Dense(64, "relu"),
            layers.Dense(1),
        ]
    )
    model = AMPModel(network, EPSILON, inner_lr=inner_lr, log_perturbation=True)
    model.compile(keras.optimizers.Adam(0.001), "mean_squared_error")
    logs = model.fit(x, y, 32, 60, 0, validation_data=(x_val, y_val)).history
    names = ("perturbation_norm", "perturbation_clipped", "val_loss")
    norm, clipped, squared_error = (logs[name][-1] for name in names)
    return norm, clipped, squared_error**0.5


def draw(rows, path):
    figure = matplotlib.figure.Figure(figsize=(9, 3.2), layout="constrained")
    for axes, column in zip(figure.subplots(1, 2), (2, 4)):
        for number, factor in enumerate(FACTORS):
            of_factor = [row for row in rows if row[0] == factor]
            plain, *ascents = of_factor
            axes.plot(
                [row[1] for row in ascents],
                [row[column] for row in ascents],
                "o-",
                color=f"C{number}",
                label=f"targets times {factor:g}",
            )
            if column == 4:
                axes.axhline(plain[column], color=f"C{number}", linestyle="--")
        axes.set(xscale="log", xlabel="inner_lr", ylabel=COLUMNS[column])
        axes.grid(alpha=0.3)
    axes.legend(title="dashed: plain training")
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main(*sys.argv[1:])
