"""First and second derivatives with `tf.GradientTape`."""

import re

import tensorflow as tf


def differentiate(function, weights):
    """Returns the gradients of a loss, and what comes with it.

    Args:
        function: A function of a list of tensors that returns a tuple: the
            loss, a scalar, and anything else.
        weights: List of tensors.

    Returns:
        A tuple: the list of gradients, `None` for a tensor that the loss does
        not depend on, and what `function` returned beside the loss.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(weights)
        loss, others = function(weights)
    return _dense(tape.gradient(loss, weights)), others


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
    try:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            gradients, _ = differentiate(lambda w: (function(w), ()), weights)
        pairs = [(g, v) for g, v in zip(gradients, vector) if g is not None]
        products = tape.gradient(
            [g for g, _ in pairs],
            weights,
            output_gradients=[v for _, v in pairs],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
    except (LookupError, NotImplementedError) as error:
        raise _without_derivative(error) from error
    return _dense(products)


def compiled(function):
    """Returns the function, compiled where the backend can."""
    return tf.function(function, autograph=False, reduce_retracing=True)


def _dense(gradients):
    return [g if g is None else tf.convert_to_tensor(g) for g in gradients]


def _without_derivative(error):
    """Returns the error to raise, which names the operation."""
    found = re.search(r"no entry for: (\w+)", str(error))
    if found is None:
        return error
    return NotImplementedError(
        "All operations of the model and the loss must have a second "
        f"derivative. Received: {found[1]}, which has none"
    )
