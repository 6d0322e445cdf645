"""How a loss changes with the distance from a model's weights."""

import dataclasses

import keras
import numpy as np

DIRECTIONS = ("amp", "gradient", "random")
NORMS = ("global", "per_variable")


@dataclasses.dataclass(frozen=True)
class RadialLosses:
    """The loss at some distances from a model's weights.

    Attributes:
        radii: Float array of shape `(radii,)`.
        relative_radii: Float array of shape `(radii,)`, the radii divided by
            the L2 norm of the weights; NaN where that is zero.
        norms: Float array of shape `(directions, radii)`, the L2 norms of the
            steps taken, over all variables together. They equal `radii`,
            except with `norm="per_variable"`, or with an ascent that ended
            inside the ball.
        data: Float array of shape `(directions, radii)`, the losses there.
            There is one direction unless they are random.
        total: Float array of shape `(directions, radii)`, the losses with the
            model's regularizers.
        at_weights: The `Losses` at the weights themselves.
    """

    radii: np.ndarray
    relative_radii: np.ndarray
    norms: np.ndarray
    data: np.ndarray
    total: np.ndarray
    at_weights: object


@dataclasses.dataclass(frozen=True)
class Slices:
    """Losses of models along the same random directions.

    Attributes:
        coordinates: Float array of shape `(points,)`, the axis, or both axes.
        data: Dict by name of a model of float arrays of shape `(points,)`, or
            `(points, points)`, of which the first index belongs to the first
            direction.
        total: The same with the model's regularizers.
        direction_norms: Dict by name of a model of float arrays of shape
            `(dimensions,)`, the L2 norms of the directions: the length of one
            unit of the axis.
        relative_norms: The same divided by the L2 norm of the weights.
    """

    coordinates: np.ndarray
    data: dict
    total: dict
    direction_norms: dict
    relative_norms: dict


def loss_against_radius(
    surface,
    radii,
    direction="amp",
    relative=False,
    norm="global",
    inner_lr=None,
    inner_iters=5,
    num_directions=5,
    seed=0,
):
    """Returns the loss at given distances from a model's weights.

    Args:
        surface: A `LossSurface`. Where it is `regularized`, gradients are those
            of the total loss.
        radii: List of floats >= 0.
        direction: `"amp"` for the perturbation that AMP's ascent finds for
            each radius, with gradients over the whole data set; `"gradient"`
            for a straight line along the gradient at the weights; `"random"`
            for straight lines in random directions. Defaults to `"amp"`.
        relative: Bool, whether `radii` are fractions of the L2 norm of the
            weights. Defaults to `False`.
        norm: `"global"` for a ball over all variables together, or
            `"per_variable"` for a ball of that radius for each variable.
            Defaults to `"global"`.
        inner_lr: Float, the step size of AMP's ascent. Defaults to `None`: each
            step is as long as the radius, so that it reaches the sphere.
        inner_iters: Int, the number of steps of AMP's ascent. Defaults to `5`.
        num_directions: Int, how many random directions. Defaults to `5`.
        seed: Int, of the random directions. Defaults to `0`.

    Returns:
        `RadialLosses`.

    Reference:
        Zheng et al., "Regularizing Neural Networks via Adversarial Model
        Perturbation", CVPR 2021, Algorithm 1, for the ascent.
    """
    _check_choice("direction", direction, DIRECTIONS)
    _check_choice("norm", norm, NORMS)
    given = np.asarray(radii, "float64")
    if given.ndim != 1 or not np.all(np.isfinite(given) & (given >= 0)):
        raise ValueError(
            f"`radii` must be a list of floats >= 0. Received: radii={radii!r}"
        )
    scale = surface.weights_norm
    absolute = given * scale if relative else given
    balls = _Balls(surface, norm)
    if direction == "amp":
        find = [_ascent(surface, balls, inner_lr, inner_iters)]
    elif direction == "gradient":
        find = [_straight_line(surface.gradient(), balls)]
    else:
        rng = np.random.default_rng(seed)
        drawn = rng.standard_normal((num_directions, surface.weights.size))
        find = [_straight_line(vector, balls) for vector in drawn]
    norms, losses = _losses_along(surface, find, absolute)
    return RadialLosses(
        radii=absolute,
        relative_radii=given if relative else given / (scale or np.nan),
        norms=norms,
        data=_field("data", losses),
        total=_field("total", losses),
        at_weights=surface.losses(),
    )


def loss_slices(surfaces, coordinates, dimensions=1, seed=0):
    """Returns losses of models on a line or a plane through their weights.

    Directions are random and filter-normalized: each filter of a direction has
    the norm of that filter of the model. So one unit of an axis is, for every
    model, a step as long as its own weights, however large they are. Models
    with variables of the same shapes have the same random numbers in their
    directions.

    A filter is what makes one output of a kernel: all its axes but the last,
    but for depthwise kernels all but the last two, for those of transposed
    convolutions all but the last but one, and for embeddings a row.
    Variables with fewer than two axes (biases, scales) stay as they are, and so
    do the moving statistics of batch normalization.

    Args:
        surfaces: A dict of `LossSurface` by name, or a single one, whose name
            is `"model"`.
        coordinates: List of floats, the points of each axis; 0 is the model.
        dimensions: `1` or `2`. Defaults to `1`.
        seed: Int, of the directions. Defaults to `0`.

    Returns:
        `Slices`.

    Reference:
        Li et al., "Visualizing the Loss Landscape of Neural Nets", NeurIPS
        2018, section 4.
    """
    _check_choice("dimensions", dimensions, (1, 2))
    if not isinstance(surfaces, dict):
        surfaces = {"model": surfaces}
    axis = np.asarray(coordinates, "float64")
    data, total, norms, relative = {}, {}, {}, {}
    for name, surface in surfaces.items():
        directions = _filter_normalized(surface, dimensions, seed)
        losses = _losses_on_grid(surface, directions, axis)
        data[name] = _field("data", losses)
        total[name] = _field("total", losses)
        norms[name] = np.linalg.norm(directions, axis=-1)
        relative[name] = norms[name] / surface.weights_norm
    return Slices(axis, data, total, norms, relative)


class _Balls:
    """The parts of a flat array that share a ball."""

    def __init__(self, surface, norm):
        sizes = [np.prod(v.shape, dtype=int) for v in surface.variables]
        if norm == "global":
            sizes = [sum(sizes)]
        ends = np.cumsum(sizes)
        self._parts = [slice(end - size, end) for size, end in zip(sizes, ends)]

    def on_sphere(self, vector, radius):
        """Scales each part to the radius; one of zeros stays."""
        return self._scaled(vector, lambda norm: radius / norm)

    def project(self, vector, radius):
        """Scales each part that is longer than the radius down to it."""
        return self._scaled(vector, lambda norm: min(1.0, radius / norm))

    def _scaled(self, vector, factor):
        scaled = np.zeros_like(vector)
        for part in self._parts:
            norm = np.linalg.norm(vector[part])
            if norm > 0:
                scaled[part] = vector[part] * factor(norm)
        return scaled


def _ascent(surface, balls, inner_lr, inner_iters):
    """Returns a function of a radius: AMP's perturbation of that radius."""
    weights = surface.weights
    first = surface.gradient()

    def find(radius):
        perturbation = np.zeros_like(weights)
        gradient = first
        for number in range(inner_iters):
            if number > 0:
                gradient = surface.gradient(weights + perturbation)
            if inner_lr is None:
                step = balls.on_sphere(gradient, radius)
            else:
                step = inner_lr * gradient
            perturbation = balls.project(perturbation + step, radius)
        return perturbation

    return find


def _straight_line(vector, balls):
    return lambda radius: balls.on_sphere(vector, radius)


def _losses_along(surface, find, radii):
    """Returns norms of perturbations and losses, `(directions, radii)` each."""
    weights = surface.weights
    after_each = surface.progress(len(find) * len(radii))
    norms = np.zeros((len(find), len(radii)))
    losses = np.empty(norms.shape, object)
    for index in np.ndindex(*norms.shape):
        draw, number = index
        perturbation = find[draw](radii[number])
        norms[index] = np.linalg.norm(perturbation)
        losses[index] = surface.losses(weights + perturbation)
        after_each()
    return norms, losses


def _losses_on_grid(surface, directions, axis):
    weights = surface.weights
    losses = np.empty((len(axis),) * len(directions), object)
    after_each = surface.progress(losses.size)
    for index in np.ndindex(*losses.shape):
        step = axis[list(index)] @ directions
        losses[index] = surface.losses(weights + step)
        after_each()
    return losses


def _filter_normalized(surface, dimensions, seed):
    """Returns flat directions, an array `(dimensions, weights)`."""
    weights = surface.weights
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((dimensions, weights.size))
    special = _special_filters(surface.model)
    axes = [special.get(id(v)) for v in surface.variables]
    for direction in directions:
        parts = zip(surface.split(direction), surface.split(weights), axes)
        scaled = [_normalize(*part).ravel() for part in parts]
        direction[:] = np.concatenate(scaled)
    return directions


def _special_filters(model):
    """Returns the axes of one filter by id of a variable, if unusual."""
    layers = keras.layers
    depthwise = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
    separable = (layers.SeparableConv1D, layers.SeparableConv2D)
    transposed = (
        layers.Conv1DTranspose,
        layers.Conv2DTranspose,
        layers.Conv3DTranspose,
    )
    axes = {}
    for layer in model._flatten_layers():
        if isinstance(layer, layers.Embedding):
            axes.update({id(v): (-1,) for v in layer.trainable_variables})
        elif isinstance(layer, depthwise):
            axes[id(layer.kernel)] = tuple(range(len(layer.kernel.shape) - 2))
        elif isinstance(layer, separable):
            kernel = layer.depthwise_kernel
            axes[id(kernel)] = tuple(range(len(kernel.shape) - 2))
        elif isinstance(layer, transposed):
            inputs = len(layer.kernel.shape) - 1
            axes[id(layer.kernel)] = (*range(inputs - 1), inputs)
    return axes


def _normalize(direction, weights, axes):
    if weights.ndim < 2:
        return np.zeros_like(weights)
    if axes is None:
        axes = tuple(range(weights.ndim - 1))
    wanted, drawn = (
        np.sqrt(np.sum(array**2, axis=axes, keepdims=True))
        for array in (weights, direction)
    )
    return direction * (wanted / drawn)


def _field(name, losses):
    return np.vectorize(lambda loss: getattr(loss, name), otypes=[float])(
        losses
    )


def _check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {choices}. Received: {name}={value!r}"
        )
