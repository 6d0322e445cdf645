"""The part of a batch that the ascent sees."""

import math
import numbers
import warnings

import keras
from keras import layers

# A batch of fewer says little about mean and variance.
_LEAST_EXAMPLES = 4

# TensorFlow counts in 32 bits.
_LARGEST_STRIDE = 2**31 - 1

_SPARSE = ("SparseTensor", "BCOO")


def stride_of(fraction):
    """Returns `s` for a fraction of `1/s`.

    Args:
        fraction: Float, `1/s` with an integer `s`, up to rounding.

    Raises:
        ValueError: If it is anything else. The message has the neighbours.
    """
    if (
        isinstance(fraction, bool)
        or not isinstance(fraction, numbers.Real)
        or not math.isfinite(fraction)
        or not 0 < fraction <= 1
    ):
        raise ValueError(
            "`inner_fraction` must be 1/s with an integer s >= 1, such as 1.0 "
            f"or 0.125. Received: inner_fraction={fraction!r}"
        )
    stride = round(1 / fraction)
    if stride > _LARGEST_STRIDE:
        raise ValueError(
            f"`inner_fraction` must be at least 1/{_LARGEST_STRIDE}. "
            f"Received: inner_fraction={fraction!r}"
        )
    if not math.isclose(fraction * stride, 1.0, rel_tol=1e-6):
        more = math.floor(1 / fraction)
        raise ValueError(
            "`inner_fraction` must be 1/s with an integer s, here "
            f"1/{more + 1} ({1 / (more + 1):g}) or 1/{more} ({1 / more:g}). "
            f"Received: inner_fraction={fraction!r}"
        )
    return stride


def take(batch, stride):
    """Returns every `stride`-th example of a batch, at least one.

    Not the first ones: a batch that is sharded over devices stays where it is.

    Args:
        batch: Tuple `(x, y, sample_weight)` of structures of tensors, whose
            first dimension is the batch, and of `None`.
        stride: Integer.

    Raises:
        ValueError: If a tensor has no such dimension, or is sparse.
    """
    return tuple(
        _take_each(name, structure, stride)
        for name, structure in zip(("x", "y", "sample_weight"), batch)
    )


def check_network(network):
    """Raises if a network cannot see a part of a batch."""
    stateful = [
        layer.name
        for layer in network._flatten_layers()
        if isinstance(layer, layers.RNN) and layer.stateful
    ]
    if stateful:
        raise ValueError(
            "Layers that keep a state for each example of a batch cannot see a "
            "part of it. Set `inner_fraction=1.0` or `stateful=False`. "
            f"Received: stateful layers {stateful}"
        )
    # One without an `Input` takes the size of the batch it was built on.
    if isinstance(network, keras.Sequential) or not network.built:
        return
    fixed = [
        f"{tensor.name}: {tuple(tensor.shape)}"
        for tensor in keras.tree.flatten(getattr(network, "inputs", None) or [])
        if len(tensor.shape) > 0 and tensor.shape[0] is not None
    ]
    if fixed:
        raise ValueError(
            "Inputs of a fixed batch size cannot be a part of the batch. Set "
            "`inner_fraction=1.0` or leave the size open. "
            f"Received: inputs {fixed}"
        )


def warn_of_few_examples(network, part):
    """Warns where batch normalization sees too few examples of a part.

    In a graph that takes batches of any size nothing can be said.
    """
    x, *_ = part
    size = next(t for t in keras.tree.flatten(x) if t is not None).shape[0]
    if size is None or size >= _LEAST_EXAMPLES:
        return
    normalizations = [
        layer.name
        for layer in network._flatten_layers()
        if isinstance(layer, layers.BatchNormalization) and layer.trainable
    ]
    if normalizations:
        warnings.warn(
            "Batch normalization is given fewer than "
            f"{_LEAST_EXAMPLES} examples in the ascent. Take larger batches or "
            "a larger `inner_fraction`. Received: "
            f"{size} examples; layers {normalizations}",
            stacklevel=2,
        )


def _take_each(name, structure, stride):
    parts = [
        None if t is None else _every("/".join([name, *path]), t, stride)
        for path, t in _with_paths(structure)
    ]
    return keras.tree.pack_sequence_as(structure, parts)


def _with_paths(structure):
    return [
        (map(str, path), tensor)
        for path, tensor in keras.tree.flatten_with_path(structure)
    ]


def _every(name, tensor, stride):
    shape, kind = tensor.shape, type(tensor).__name__
    if kind in _SPARSE or getattr(tensor, "is_sparse", False):
        raise ValueError(
            "A sparse tensor cannot be divided into examples. Set "
            f"`inner_fraction=1.0` or make it dense. Received: {name} ({kind})"
        )
    if getattr(shape, "rank", len) is not None and len(shape) == 0:
        raise ValueError(
            "All tensors of a batch must have the examples as their first "
            "dimension for the ascent to see a part of them. "
            f"Received: {name} of shape ()"
        )
    return tensor[::stride]
