"""First and second derivatives with `jax.grad`."""

import re

import jax


def differentiate(function, weights):
    """Returns the gradients of a loss, and what comes with it.

    Args:
        function: A function of a list of tensors that returns a tuple: the
            loss, a scalar, and anything else.
        weights: List of tensors.

    Returns:
        A tuple: the list of gradients, `None` for a tensor that the loss does
        not depend on (on JAX zeros), and what `function` returned beside the
        loss.
    """
    return jax.grad(function, has_aux=True)(weights)


def hessian_vector_product(function, weights, vector):
    """Returns the Hessian of a loss times a vector.

    Args:
        function: A function of a list of tensors that returns the loss, a
            scalar.
        weights: List of tensors.
        vector: List of tensors of the same shapes and dtypes.

    Returns:
        The list of tensors `Hessian @ vector`, zeros for one that the gradient
        does not depend on.

    Raises:
        NotImplementedError: If an operation has no second derivative.
    """

    def slope(weights):
        gradients = jax.grad(function)(weights)
        return sum(map(jax.numpy.vdot, gradients, vector))

    try:
        return jax.grad(slope)(weights)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise _without_derivative(error) from error


def compiled(function):
    """Returns the function, compiled where the backend can."""
    return jax.jit(function)


def _without_derivative(error):
    """Returns the error to raise, for JAX has no type of its own for it."""
    if not re.search("differentiation|jvp", str(error), re.IGNORECASE):
        return error
    return NotImplementedError(
        "All operations of the model and the loss must have a second "
        f"derivative. Received: {error}"
    )
