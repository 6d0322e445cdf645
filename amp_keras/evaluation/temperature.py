"""Temperature scaling: one number that calibrates a trained classifier."""

import warnings

import keras
import numpy as np

from amp_keras.evaluation.calibration import classification_arrays

_TOLERANCE = 1e-10
_MAX_ITERATIONS = 100


def fit_temperature(logits, labels, sample_weight=None, limits=(0.01, 100.0)):
    """Returns the temperature that minimizes the negative log-likelihood.

    The probabilities of a classifier at temperature T are
    `softmax(logits / T)`. T > 1 makes it less confident, T < 1 more; the
    predicted classes stay the same. Fit it on validation data: on the test data
    it would know the answers. Where there are no others, see
    `cross_fit_temperature`.

    The likelihood is concave in 1 / T, so that there is one maximum, and it is
    found in float64.

    Args:
        logits: Float array of shape `(examples, classes)`; logarithms of
            probabilities serve as well. A single column is the logit of class
            1 of two.
        labels: Int array of shape `(examples,)`, or one-hot.
        sample_weight: Float array of shape `(examples,)`. Defaults to `None`:
            all examples weigh the same.
        limits: Pair of floats, the least and the largest temperature.
            Predictions that are all right become better with ever lower
            temperature, and those worse than chance with ever higher: then the
            limit is returned, with a warning. Defaults to `(0.01, 100.0)`.

    Returns:
        Float, the temperature.

    Raises:
        ValueError: If logits are not finite or shapes do not match.

    Reference:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017,
        section 4.2.
    """
    logits, targets = _logits_and_targets(logits, labels)
    weights = np.ones(len(logits))
    if sample_weight is not None:
        weights = weights * np.reshape(sample_weight, (-1,))
    logits = logits - np.sum(logits * targets, axis=-1, keepdims=True)
    inverse = _minimize(logits, weights, 1 / limits[1], 1 / limits[0])
    temperature = float(np.clip(1 / inverse, *limits))
    if temperature in limits:
        warnings.warn(
            "No temperature maximizes the likelihood: the predictions are all "
            f"right, or worse than chance. Returned: {temperature}, the limit",
            stacklevel=2,
        )
    return temperature


def cross_fit_temperature(logits, labels, seed=0):
    """Scales logits by temperatures that have not seen their labels.

    Examples are divided at random into two halves, and each half is scaled with
    the temperature that is fitted on the other. Use it where there is no
    validation data, and say so beside the numbers.

    Args:
        logits: Float array of shape `(examples, classes)`.
        labels: Int array of shape `(examples,)`, or one-hot.
        seed: Int, chooses the halves. Defaults to `0`.

    Returns:
        A tuple: the scaled logits, a float64 array of the shape of `logits`,
        and the two temperatures, that fitted on the second half, by which the
        first was scaled, and the other.
    """
    labels, logits = classification_arrays(labels, logits)
    order = np.random.default_rng(seed).permutation(len(logits))
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    scaled = logits.astype("float64")
    temperatures = []
    for half, other in (halves, halves[::-1]):
        temperature = fit_temperature(logits[other], labels[other])
        scaled[half] /= temperature
        temperatures.append(temperature)
    return scaled, tuple(temperatures)


def with_temperature(model, temperature, from_logits=True):
    """Returns a model with its temperature as a last layer.

    It shares the weights of `model`, and is made of Keras' own layers: saved,
    it loads without amp_keras.

    Example:

    ```python
    temperature = fit_temperature(model.predict(x_val), y_val)
    calibrated = with_temperature(model, temperature)
    calibrated.save("calibrated.keras")
    ```

    Args:
        model: A built `keras.Model` with one output.
        temperature: Float > 0.
        from_logits: Bool, whether `model` returns logits, and so does the new
            one; `False`: both return probabilities, by a softmax, for which
            the model must be Sequential or functional. Defaults to `True`.

    Returns:
        A `keras.Model` that returns `logits / temperature`, or
        `softmax(log(probabilities) / temperature)`.

    Raises:
        ValueError: If `temperature` is not a finite number > 0, or the model's
            last layer contradicts `from_logits`.
    """
    if not np.isfinite(temperature) or temperature <= 0:
        raise ValueError(
            "`temperature` must be a finite float > 0. "
            f"Received: temperature={temperature!r}"
        )
    _check_last_layer(model, from_logits)
    scale = keras.layers.Rescaling(1.0 / temperature, name="temperature")
    if not hasattr(model, "output"):
        return _around_subclassed(model, scale, from_logits)
    if len(model.outputs) != 1:
        raise ValueError(
            "`model` must have one output. "
            f"Received: model={model!r}, with {len(model.outputs)}"
        )
    outputs = model.outputs[0]
    if from_logits:
        outputs = scale(outputs)
    else:
        logits = keras.ops.log(keras.ops.maximum(outputs, 1e-30))
        outputs = keras.layers.Softmax()(scale(logits))
    return keras.Model(model.input, outputs, name=model.name)


def _check_last_layer(model, from_logits):
    last = model.layers[-1] if model.layers else None
    activation = getattr(last, "activation", None)
    is_softmax = isinstance(last, keras.layers.Softmax) or activation in (
        keras.activations.softmax,
        keras.activations.sigmoid,
    )
    if is_softmax and from_logits:
        raise ValueError(
            "`model` must return logits with `from_logits=True`. "
            f"Received: model={model}, whose last layer, {last.name}, returns "
            "probabilities"
        )


def _around_subclassed(model, scale, from_logits):
    if not from_logits:
        raise ValueError(
            "`model` must be Sequential or functional, and built, with "
            f"`from_logits=False`. Received: model={model!r}"
        )
    return keras.Sequential([model, scale], name=model.name)


def _logits_and_targets(logits, labels):
    """Returns float64 logits and targets, both `(examples, classes)`."""
    labels, logits = classification_arrays(labels, logits)
    if not np.all(np.isfinite(logits)):
        raise ValueError(
            "`logits` must be finite. Received: "
            f"{np.sum(~np.isfinite(logits))} that are not"
        )
    one_hot = labels.shape == logits.shape and logits.shape[-1] > 1
    logits = logits.astype("float64").reshape((-1, logits.shape[-1]))
    if logits.shape[-1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=-1)
    if one_hot:
        return logits, labels.astype("float64").reshape(logits.shape)
    labels = labels.astype("int64").reshape((-1,))
    return logits, np.eye(logits.shape[-1])[labels]


def _minimize(margins, weights, low, high):
    """Returns the inverse temperature of the least negative log-likelihood.

    The function is convex. Newton's steps that leave the bracket are replaced
    by bisection.
    """
    slope_at_low, _ = _derivatives(margins, weights, low)
    slope_at_high, _ = _derivatives(margins, weights, high)
    if slope_at_low == 0 == slope_at_high:
        return 1.0
    if slope_at_low >= 0:
        return low
    if slope_at_high <= 0:
        return high
    inverse = 1.0 if low < 1.0 < high else np.sqrt(low * high)
    for _ in range(_MAX_ITERATIONS):
        slope, curvature = _derivatives(margins, weights, inverse)
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        step = slope / curvature if curvature > 0 else np.inf
        following = inverse - step
        if not low < following < high:
            following = np.sqrt(low * high)
        if abs(following - inverse) <= _TOLERANCE * inverse:
            return following
        inverse = following
    return inverse


def _derivatives(margins, weights, inverse):
    """Of the sum of `log(sum(exp(inverse * margins)))` over examples."""
    scaled = inverse * margins
    scaled -= np.max(scaled, axis=-1, keepdims=True)
    probabilities = np.exp(scaled)
    probabilities /= np.sum(probabilities, axis=-1, keepdims=True)
    mean = np.sum(probabilities * margins, axis=-1)
    square = np.sum(probabilities * margins**2, axis=-1)
    return np.sum(weights * mean), np.sum(weights * (square - mean**2))
