"""The inner maximization of AMP, over lists of tensors.

A perturbation is a list of tensors, one for each variable that is perturbed.
Nothing here knows of a model or a backend. These functions are the reference
for those of the same names that a backend may have in a form that suits it, in
`amp_keras/backend/<name>/perturbation.py`.
"""

import keras
from keras import ops

NORMS = ("global", "per_variable")

# The paper's step size: an ascent follows the gradient's length.
USUAL_STEP = 1.0

# The least norm that float32 divides by without loss of precision.
_TINY = 1e-37


def zeros(variables):
    """Returns a perturbation of zero for a list of tensors."""
    return [ops.zeros(v.shape, wide_dtype(v.dtype)) for v in variables]


def widen(tensors):
    """Returns the tensors in the dtypes that perturbations of them have."""
    return [ops.cast(t, wide_dtype(t.dtype)) for t in tensors]


def add(perturbation, values):
    """Returns `values + perturbation`, in the dtypes of the values."""
    return [v + ops.cast(p, v.dtype) for v, p in zip(values, perturbation)]


def ascend(perturbation, gradients, inner_lr):
    """Takes one gradient-ascent step on the perturbation.

    Args:
        perturbation: List of tensors, one for each variable.
        gradients: List of tensors of the same shapes.
        inner_lr: Float, the step size zeta.

    Returns:
        The list `perturbation + inner_lr * gradients`.

    Reference:
        Zheng et al., "Regularizing Neural Networks via Adversarial Model
        Perturbation", CVPR 2021, Algorithm 1, line 6.
    """
    return [
        p + inner_lr * ops.cast(g, p.dtype)
        for p, g in zip(perturbation, gradients)
    ]


def project(perturbation, epsilon, norm="global"):
    """Projects the perturbation onto the L2 ball of radius `epsilon`.

    A perturbation inside the ball is returned as it is; one outside is scaled
    down to the sphere. Norms are computed in the dtype of `wide_dtype`.

    Args:
        perturbation: List of tensors, one for each variable.
        epsilon: Float or scalar tensor, the radius.
        norm: `"global"` for one ball over all variables together, or
            `"per_variable"` for a ball of radius `epsilon` for each variable.
            Defaults to `"global"`.

    Returns:
        The projected list of tensors.

    Reference:
        Zheng et al., CVPR 2021, Algorithm 1, lines 7 to 9.
    """
    return [
        tensor
        for ball in _balls(perturbation, norm)
        for tensor in _project_onto_ball(ball, epsilon)
    ]


def onto_sphere(perturbation, epsilon, norm="global"):
    """Scales the perturbation, up or down, to a norm of `epsilon`.

    Args:
        perturbation: List of tensors, one for each variable, not all zero.
        epsilon: Float or scalar tensor, the radius.
        norm: As in `project`.

    Returns:
        The scaled list of tensors.
    """
    return [
        t * ops.cast(ops.divide(epsilon, length), t.dtype)
        for ball in _balls(perturbation, norm)
        for length in [ops.maximum(l2_norm(ball), _TINY)]
        for t in ball
    ]


def clipped_share(perturbation, epsilon, norm="global"):
    """Returns the share of the balls whose sphere a perturbation has reached.

    Args:
        perturbation: List of tensors, a perturbation after its projection.
        epsilon: Float or scalar tensor, the radius.
        norm: As in `project`. With `"global"` there is one ball, and the share
            is 0 or 1.

    Returns:
        A float32 scalar: the share of balls in which the norm is at least
        `epsilon`, up to rounding.
    """
    norms = [l2_norm(ball) for ball in _balls(perturbation, norm)]
    norms = ops.stack([ops.cast(norm, "float32") for norm in norms])
    reached = ops.greater_equal(norms, epsilon * (1 - 1e-5))
    return ops.mean(ops.cast(reached, "float32"))


def l2_norm(tensors):
    """Returns the L2 norm over all tensors together, a scalar of `wide_dtype`.

    The largest magnitude is divided out before squaring, so that values from
    1e-20 to 1e20 neither vanish nor overflow. It is NaN or infinite if any
    value is.
    """
    dtype = wide_dtype(*(t.dtype for t in tensors))
    tensors = [ops.cast(t, dtype) for t in tensors]
    largest = ops.max(ops.stack([ops.max(ops.abs(t)) for t in tensors]))
    unit = ops.maximum(largest, _TINY)
    squares = [ops.sum(ops.square(t / unit)) for t in tensors]
    return unit * ops.sqrt(ops.sum(ops.stack(squares)))


def all_finite(tensors):
    """Returns a scalar: whether no value is infinite or NaN."""
    return ops.all(ops.stack([ops.all(ops.isfinite(t)) for t in tensors]))


def wide_dtype(*dtypes):
    """Returns the dtype for sums over tensors: at least float32.

    It is float64 for float64 where Keras promotes to it, on TensorFlow.
    """
    return keras.backend.result_type(*dtypes, "float32")


def _balls(perturbation, norm):
    """Divides a perturbation into the parts that share a ball."""
    if norm == "per_variable":
        return [[tensor] for tensor in perturbation]
    return [perturbation]


def _project_onto_ball(tensors, epsilon):
    norm = ops.maximum(l2_norm(tensors), _TINY)
    shrinkage = ops.minimum(1.0, ops.divide(epsilon, norm))
    return [t * ops.cast(shrinkage, t.dtype) for t in tensors]
