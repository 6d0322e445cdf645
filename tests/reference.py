"""One AMP step by brute force: assignments to the weights of a copy."""

import gradients
import keras
import numpy as np

SEED = 11


def amp_sgd_step(
    network,
    loss_fn,
    epsilon,
    inner_lr,
    inner_iters,
    norm,
    lr,
    inner_stride=1,
):
    """Takes one step of plain SGD on AMP's loss, in place.

    `loss_fn(s)` runs the network in training mode on every `s`-th example of
    the batch and returns its total loss. All passes but the last see every
    `inner_stride`-th; state is what the first pass over the whole batch leaves.
    A pass draws the noise that follows `keras.utils.set_random_seed(SEED)`.
    Weights are moved by assignment, other variables put back, and the
    perturbation is computed in NumPy: nothing is shared with amp_keras.
    """
    weights = network.trainable_variables
    state = gradients.state_variables(network)
    start = [w.numpy() for w in weights]
    others = [v.numpy() for v in state]
    loss, ascent = _one_draw_of_noise(network, loss_fn, inner_stride)
    left = [v.numpy() for v in state]
    perturbation = [np.zeros_like(s) for s in start]
    for i in range(inner_iters):
        stride = inner_stride if i < inner_iters - 1 else 1
        perturbation = [p + inner_lr * g for p, g in zip(perturbation, ascent)]
        perturbation = _project(perturbation, epsilon, norm)
        _assign(weights, [s + p for s, p in zip(start, perturbation)])
        _assign(state, others)
        _, ascent = _one_draw_of_noise(network, loss_fn, stride)
        if stride != inner_stride:
            left = [v.numpy() for v in state]
    _assign(weights, [s - lr * g for s, g in zip(start, ascent)])
    _assign(state, left)
    return loss


def _one_draw_of_noise(network, loss_fn, stride):
    # Layers without a seed draw from torch's own generator on torch.
    keras.utils.set_random_seed(SEED)
    return gradients.loss_and_gradients(network, lambda: loss_fn(stride))


def _project(perturbation, epsilon, norm):
    norms = [np.linalg.norm(p.astype("float64")) for p in perturbation]
    if norm == "global":
        norms = [np.linalg.norm(norms)] * len(norms)
    return [
        (p * min(1.0, epsilon / n)).astype(p.dtype) if n > 0 else p
        for p, n in zip(perturbation, norms)
    ]


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
