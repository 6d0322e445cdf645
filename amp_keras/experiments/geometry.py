"""Curvature and landscape of the training loss around a network."""

import dataclasses

import keras
import numpy as np

from amp_keras import evaluation


def surface_of(network, from_logits, split, options):
    """Returns the `LossSurface` of a network on a part of a split.

    Args:
        network: A `keras.Model`.
        from_logits: Bool, whether it returns logits.
        split: The `Split` with the training data.
        options: `EvaluationOptions`.
    """
    order = np.random.default_rng(options.seed).permutation(len(split))
    split = split.take(np.sort(order[: options.examples]))
    return evaluation.LossSurface(
        network,
        (split.images.astype("float32"), split.labels),
        keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits),
        batch_size=options.batch_size,
        verbose=min(1, options.verbose),
    )


def eigenvalues(surface, options):
    """Returns the largest eigenvalues of the Hessian, as JSON has them."""
    found = evaluation.eigenvalues(
        surface, options.eigenvalues, seed=options.seed
    )
    return {
        **dataclasses.asdict(found),
        "weights_norm": surface.weights_norm,
        "num_weights": surface.weights.size,
        "loss": surface.losses().data,
    }


def trace(surface, options):
    """Returns the trace of the Hessian, as JSON has it."""
    return dataclasses.asdict(
        evaluation.trace(surface, options.trace_samples, seed=options.seed)
    )


def along(direction):
    """Returns a function of the loss against radius along a direction."""

    def losses(surface, options):
        found = evaluation.loss_against_radius(
            surface, options.radii, direction, seed=options.seed
        )
        return dataclasses.asdict(found)

    return losses


def line(surface, options):
    """Returns the losses on a line, as JSON has them."""
    return _slice(surface, options.slice_points, 1, options.seed)


def plane(surface, options):
    """Returns the losses on a plane, as JSON has them."""
    return _slice(surface, options.plane_points, 2, options.seed)


def _slice(surface, points, dimensions, seed):
    coordinates = np.linspace(-1.0, 1.0, points)
    found = evaluation.loss_slices(surface, coordinates, dimensions, seed)
    return {
        "coordinates": coordinates,
        "data": found.data["model"],
        "direction_norms": found.direction_norms["model"],
        "relative_norms": found.relative_norms["model"],
    }
