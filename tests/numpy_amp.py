"""AMP written from the algorithm in NumPy, for one network.

The network is dense, batch normalization, tanh, dense, with the softmax
cross-entropy and an L2 regularizer on the last kernel. Derivatives are worked
by hand, in float64; nothing is shared with Keras or amp_keras.
"""

import numpy as np

EPSILON_OF_BATCH_NORM = 1e-3
MOMENTUM_OF_BATCH_NORM = 0.9
L2 = 0.01


def train(
    weights,
    batches,
    learning_rate,
    momentum,
    epsilon,
    inner_lr,
    inner_iters,
    norm,
    inner_stride=1,
):
    """Trains by AMP with SGD and momentum.

    Args:
        weights: List of arrays: kernel, bias, gamma, beta, kernel, bias.
        batches: List of `(x, labels)`.

    Returns:
        A tuple: the weights, the moving mean and variance, and the loss at
        the weights before each step, of what the ascent sees of a batch: every
        `inner_stride`-th example.
    """
    weights = [np.asarray(w, "float64") for w in weights]
    velocity = [np.zeros_like(w) for w in weights]
    mean, variance = np.zeros_like(weights[1]), np.ones_like(weights[1])
    losses = []
    for x, labels in batches:
        part = x[::inner_stride], labels[::inner_stride]
        loss, gradients, batch_mean, batch_variance = backprop(weights, *part)
        losses.append(loss)
        perturbation = [np.zeros_like(w) for w in weights]
        for i in range(inner_iters):
            perturbation = [
                p + inner_lr * g for p, g in zip(perturbation, gradients)
            ]
            perturbation = project(perturbation, epsilon, norm)
            perturbed = [w + p for w, p in zip(weights, perturbation)]
            seen = part if i < inner_iters - 1 else (x, labels)
            _, gradients, *statistics = backprop(perturbed, *seen)
            if inner_stride > 1 and i == inner_iters - 1:
                batch_mean, batch_variance = statistics
        mean = _moving(mean, batch_mean)
        variance = _moving(variance, batch_variance)
        velocity = [
            momentum * v - learning_rate * g
            for v, g in zip(velocity, gradients)
        ]
        weights = [w + v for w, v in zip(weights, velocity)]
    return weights, mean, variance, losses


def backprop(weights, x, labels):
    """Returns loss, gradients, and mean and variance of the batch."""
    kernel1, bias1, gamma, beta, kernel2, bias2 = weights
    n = len(x)
    dense = x @ kernel1 + bias1
    mean, variance = dense.mean(axis=0), dense.var(axis=0)
    inverse_std = 1.0 / np.sqrt(variance + EPSILON_OF_BATCH_NORM)
    normalized = (dense - mean) * inverse_std
    hidden = np.tanh(gamma * normalized + beta)
    logits = hidden @ kernel2 + bias2
    logits = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(logits).sum(axis=1))
    loss = np.mean(log_sum - logits[np.arange(n), labels])
    loss += L2 * np.sum(kernel2**2)

    d_logits = np.exp(logits - log_sum[:, None])
    d_logits[np.arange(n), labels] -= 1.0
    d_logits /= n
    d_kernel2 = hidden.T @ d_logits + 2 * L2 * kernel2
    d_scaled = (d_logits @ kernel2.T) * (1.0 - hidden**2)
    d_normalized = d_scaled * gamma
    d_dense = inverse_std * (
        d_normalized
        - d_normalized.mean(axis=0)
        - normalized * np.mean(d_normalized * normalized, axis=0)
    )
    gradients = [
        x.T @ d_dense,
        d_dense.sum(axis=0),
        np.sum(d_scaled * normalized, axis=0),
        d_scaled.sum(axis=0),
        d_kernel2,
        d_logits.sum(axis=0),
    ]
    return loss, gradients, mean, variance


def project(perturbation, epsilon, norm):
    norms = [np.sqrt(np.sum(p**2)) for p in perturbation]
    if norm == "global":
        norms = [np.sqrt(np.sum(np.square(norms)))] * len(norms)
    return [
        p if n <= epsilon else p * (epsilon / n)
        for p, n in zip(perturbation, norms)
    ]


def _moving(average, value):
    keep = MOMENTUM_OF_BATCH_NORM
    return keep * average + (1.0 - keep) * value
