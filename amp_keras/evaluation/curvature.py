"""Eigenvalues and trace of the Hessian of a loss, without the Hessian."""

import dataclasses

import numpy as np

# A vector whose length falls by this factor lies in the space spanned so far,
# up to the accuracy of a product in float32.
_BREAKDOWN = 1e-6


@dataclasses.dataclass(frozen=True)
class Eigenvalues:
    """The largest eigenvalues of a Hessian.

    Attributes:
        values: Float array, the largest eigenvalues, in descending order.
        relative: Float array, `values` times the squared L2 norm of the
            weights: the curvature along a step that is measured in norms of
            the weights, which does not change if a network is rescaled.
        residuals: Float array, the bound of the error of each eigenvalue that
            the iteration has reached, relative to the largest magnitude.
        smallest: Float, the least eigenvalue that the iteration has seen.
            Negative: the weights are no minimum.
        iterations: Int, the number of Hessian-vector products.
        converged: Bool, whether all residuals are below the tolerance.
    """

    values: np.ndarray
    relative: np.ndarray
    residuals: np.ndarray
    smallest: float
    iterations: int
    converged: bool


@dataclasses.dataclass(frozen=True)
class Trace:
    """An estimate of the trace of a Hessian.

    Attributes:
        value: Float, the estimate.
        standard_error: Float, its standard error; NaN for a single probe.
        relative: Float, `value` times the squared L2 norm of the weights,
            divided by their number: twice the change of the loss, to second
            order, along a random step as long as the weights.
        relative_standard_error: Float, the standard error of `relative`.
        samples: Float array, the estimates by each probe.
    """

    value: float
    standard_error: float
    relative: float
    relative_standard_error: float
    samples: np.ndarray


def eigenvalues(surface, count=1, max_iterations=100, tolerance=1e-4, seed=0):
    """Returns the largest eigenvalues of the Hessian of a loss.

    Lanczos' method with full reorthogonalization. The start vector comes from
    NumPy and the recurrence runs in float64, so that backends differ only by
    the rounding of their Hessian-vector products. An iteration costs one such
    product over the data set, and keeps a vector of float64 as long as the
    weights.

    An eigenvalue that occurs several times may be found once.

    Args:
        surface: A `LossSurface`.
        count: Int, how many eigenvalues. Defaults to `1`.
        max_iterations: Int, the Hessian-vector products after which it ends,
            whether or not it has converged. Defaults to `100`.
        tolerance: Float. It ends when the error bound of each eigenvalue is at
            most `tolerance` times the largest magnitude of an eigenvalue. (The
            error itself is nearly always far smaller.) Defaults to `1e-4`.
        seed: Int, of the start vector. Defaults to `0`.

    Returns:
        `Eigenvalues`.

    Reference:
        Golub, Van Loan, "Matrix Computations", 4th edition, chapter 10.
    """
    size = surface.weights.size
    steps = min(size, max_iterations)
    if not 1 <= count <= steps:
        raise ValueError(
            "`count` must be at least 1 and at most `max_iterations` and the "
            f"number of weights, {size}. Received: count={count!r}, "
            f"max_iterations={max_iterations!r}"
        )
    after_each = surface.progress(steps)
    iteration = _Lanczos(steps, size, np.random.default_rng(seed))
    for step in range(1, steps + 1):
        iteration.step(surface.hessian_vector_product)
        values, bounds = iteration.ritz_values()
        scale = np.max(np.abs(values))
        residuals = bounds[:count] / (scale if scale > 0 else 1.0)
        converged = step >= count and bool(np.all(residuals <= tolerance))
        after_each(converged)
        if converged:
            break
    return Eigenvalues(
        values=values[:count],
        relative=values[:count] * surface.weights_norm**2,
        residuals=residuals,
        smallest=float(values[-1]),
        iterations=step,
        converged=converged,
    )


def trace(surface, samples=10, seed=0):
    """Returns an estimate of the trace of the Hessian of a loss.

    Hutchinson's: the mean of `v @ H @ v` over random vectors of signs, from
    NumPy. A probe costs one Hessian-vector product over the data set.

    Args:
        surface: A `LossSurface`.
        samples: Int, the number of probes. Defaults to `10`.
        seed: Int, of the probes. Defaults to `0`.

    Returns:
        A `Trace`.

    Reference:
        Hutchinson, "A Stochastic Estimator of the Trace of the Influence
        Matrix for Laplacian Smoothing Splines", Communications in Statistics
        19(2), 1990.
    """
    if samples < 1:
        raise ValueError(
            f"`samples` must be an int >= 1. Received: samples={samples!r}"
        )
    rng = np.random.default_rng(seed)
    size = surface.weights.size
    after_each = surface.progress(samples)
    estimates = []
    for _ in range(samples):
        probe = rng.choice([-1.0, 1.0], size)
        estimates.append(probe @ surface.hessian_vector_product(probe))
        after_each()
    value = float(np.mean(estimates))
    error = float("nan")
    if samples > 1:
        error = float(np.std(estimates, ddof=1) / np.sqrt(samples))
    per_weight = surface.weights_norm**2 / size
    return Trace(
        value=value,
        standard_error=error,
        relative=value * per_weight,
        relative_standard_error=error * per_weight,
        samples=np.array(estimates),
    )


class _Lanczos:
    """The recurrence that makes a symmetric matrix tridiagonal."""

    def __init__(self, steps, size, rng):
        self._rng = rng
        self._vectors = np.empty((steps, size))
        self._diagonal = []
        self._off_diagonal = []
        self._next = None

    def step(self, multiply):
        vector = self._random_vector() if self._next is None else self._next
        self._vectors[len(self._diagonal)] = vector
        product = multiply(vector)
        if not np.all(np.isfinite(product)):
            raise ValueError(
                "The Hessian-vector product must be finite. Received: "
                f"{np.sum(~np.isfinite(product))} infinite or NaN entries"
            )
        self._diagonal.append(product @ vector)
        rest = self._orthogonal(product)
        remaining = np.linalg.norm(rest)
        if remaining > _BREAKDOWN * np.linalg.norm(product):
            self._off_diagonal.append(remaining)
            self._next = rest / remaining
        else:
            # The space is invariant; what is left is another one.
            self._off_diagonal.append(0.0)
            self._next = None

    def ritz_values(self):
        """Returns eigenvalues, in descending order, and bounds of errors."""
        off_diagonal = self._off_diagonal[:-1]
        matrix = np.diag(self._diagonal)
        matrix += np.diag(off_diagonal, 1) + np.diag(off_diagonal, -1)
        values, vectors = np.linalg.eigh(matrix)
        bounds = np.abs(self._off_diagonal[-1] * vectors[-1])
        return values[::-1], bounds[::-1]

    def _random_vector(self):
        size = self._vectors.shape[1]
        vector = self._orthogonal(self._rng.standard_normal(size))
        return vector / np.linalg.norm(vector)

    def _orthogonal(self, vector):
        """Twice, for the first subtraction leaves rounding errors."""
        basis = self._vectors[: len(self._diagonal)]
        for _ in range(2):
            vector = vector - basis.T @ (basis @ vector)
        return vector
