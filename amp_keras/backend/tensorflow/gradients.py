"""First and second derivatives with `tf.GradientTape`."""

import contextlib
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

    `tf.nn.moments`, of which Keras makes normalizations, holds the mean that is
    in the variance constant: right for the first derivative, for which it makes
    no difference, and wrong for the second. Another takes its place meanwhile.

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
        with (
            _moments_replaced(),
            tf.GradientTape(watch_accessed_variables=False) as tape,
        ):
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


@contextlib.contextmanager
def _moments_replaced():
    original = tf.nn.moments
    tf.nn.moments = _moments
    try:
        yield
    finally:
        tf.nn.moments = original


def _moments(x, axes, shift=None, keepdims=False, name=None):
    x = tf.convert_to_tensor(x)
    wide = tf.cast(x, tf.float32) if x.dtype == tf.float16 else x
    mean = tf.reduce_mean(wide, axes, keepdims=True)
    squares = tf.math.squared_difference(wide, mean)
    variance = tf.reduce_mean(squares, axes, keepdims=keepdims)
    if not keepdims:
        mean = tf.squeeze(mean, axes)
    return tf.cast(mean, x.dtype), tf.cast(variance, x.dtype)


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
