"""Small networks with losses, gradients and Hessians worked in NumPy.

Nothing here is shared with Keras' or amp_keras' derivatives.
"""

import keras
import numpy as np

FEATURES, HIDDEN, CLASSES, EXAMPLES = 3, 4, 3, 20


def data(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(EXAMPLES, FEATURES)).astype("float32")
    return x, rng.integers(0, CLASSES, EXAMPLES)


def network(seed=0):
    """A dense layer, tanh and a dense layer, with weights from NumPy."""
    model = keras.Sequential(
        [
            keras.Input((FEATURES,)),
            keras.layers.Dense(HIDDEN, activation="tanh", name="hidden"),
            keras.layers.Dense(CLASSES, name="out"),
        ]
    )
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(size=w.shape) for w in model.weights])
    return model


def cross_entropy(logits, labels):
    """Returns the loss of each example and its gradient by the logits."""
    logits = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(logits).sum(axis=1))
    rows = np.arange(len(labels))
    gradient = np.exp(logits - log_sum[:, None])
    gradient[rows, labels] -= 1.0
    return log_sum - logits[rows, labels], gradient


def squared_error(logits, labels):
    """Of one-hot labels, the mean over classes as Keras has it."""
    difference = logits - np.eye(CLASSES)[labels]
    return np.mean(difference**2, axis=1), 2.0 * difference / CLASSES


def loss_and_gradient(flat, x, labels, loss, weights=None):
    """Returns the mean loss and its gradient at flat weights, in float64."""
    shapes = [(FEATURES, HIDDEN), (HIDDEN,), (HIDDEN, CLASSES), (CLASSES,)]
    ends = np.cumsum([np.prod(s) for s in shapes])
    kernel1, bias1, kernel2, bias2 = (
        part.reshape(s) for part, s in zip(np.split(flat, ends[:-1]), shapes)
    )
    x = x.astype("float64")
    hidden = np.tanh(x @ kernel1 + bias1)
    losses, d_logits = loss(hidden @ kernel2 + bias2, labels)
    if weights is not None:
        losses, d_logits = losses * weights, d_logits * weights[:, None]
    d_logits = d_logits / len(x)
    d_dense = (d_logits @ kernel2.T) * (1.0 - hidden**2)
    gradients = [
        x.T @ d_dense,
        d_dense.sum(axis=0),
        hidden.T @ d_logits,
        d_logits.sum(axis=0),
    ]
    return np.mean(losses), np.concatenate([g.ravel() for g in gradients])


def hessian(gradient, flat, step=1e-5):
    """Returns the Hessian by central differences of a gradient."""
    columns = [
        (gradient(flat + step * unit) - gradient(flat - step * unit))
        for unit in np.eye(flat.size)
    ]
    matrix = np.array(columns) / (2 * step)
    return (matrix + matrix.T) / 2


class Rows(keras.Model):
    """Outputs its vector of weights for every input."""

    def __init__(self, weights):
        super().__init__()
        self.vector = self.add_weight(shape=(len(weights),), name="vector")
        self.vector.assign(weights)
        self.built = True

    def call(self, inputs):
        return 0.0 * inputs + self.vector


def quadratic(y_true, y_pred):
    """A loss of `Rows` whose Hessian is diagonal, with the labels on it."""
    squares = keras.ops.square(y_pred)
    return 0.5 * keras.ops.sum(y_true * squares, axis=-1)
