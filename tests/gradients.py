"""Loss and gradients on each backend, independent of amp_keras."""

import keras

BACKEND = keras.config.backend()


def loss_and_gradients(network, loss_fn):
    """Returns the loss and NumPy gradients of the trainable variables.

    State that `loss_fn()` changes, such as batch statistics, stays changed. A
    variable that the loss does not depend on has a gradient of zeros.
    """
    run = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[BACKEND]
    loss, gradients = run(network, loss_fn)
    return float(loss), [
        keras.ops.convert_to_numpy(keras.ops.zeros(w.shape) if g is None else g)
        for w, g in zip(network.trainable_variables, gradients, strict=True)
    ]


def state_variables(network):
    """Includes the states of stateful layers, which Keras does not list."""
    states = [
        layer.states
        for layer in network._flatten_layers()
        if getattr(layer, "states", None) is not None
    ]
    return [*network.non_trainable_variables, *keras.tree.flatten(states)]


def _tensorflow(network, loss_fn):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = loss_fn()
    gradients = tape.gradient(
        loss, [w.value for w in network.trainable_variables]
    )
    dense = [g if g is None else tf.convert_to_tensor(g) for g in gradients]
    return loss, dense


def _jax(network, loss_fn):
    import jax

    def stateless(values):
        substitution = zip(network.trainable_variables, values)
        scope = keras.StatelessScope(substitution, collect_losses=True)
        with scope:
            loss = loss_fn()
        others = network.non_trainable_variables
        return loss, [scope.get_current_value(v) for v in others]

    values = [w.value for w in network.trainable_variables]
    differentiate = jax.value_and_grad(stateless, has_aux=True)
    (loss, others), gradients = differentiate(values)
    for variable, value in zip(network.non_trainable_variables, others):
        if value is not None:
            variable.assign(value)
    return loss, gradients


def _torch(network, loss_fn):
    import torch

    weights = [w.value for w in network.trainable_variables]
    substitution = zip(network.trainable_variables, weights)
    # Differentiation needs the values that an assignment would overwrite.
    with keras.StatelessScope(substitution, collect_losses=True) as scope:
        loss = loss_fn()
    gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    for variable in state_variables(network):
        value = scope.get_current_value(variable)
        if value is not None:
            variable.assign(value)
    return loss, gradients
