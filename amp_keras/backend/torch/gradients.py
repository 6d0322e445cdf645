"""First and second derivatives with `torch.autograd.grad`."""

import re

import torch
from torch.nn.attention import SDPBackend
from torch.nn.attention import sdpa_kernel


def differentiate(function, weights):
    """Returns the gradients of a loss, and what comes with it.

    All of it runs in this thread, to which Keras' scopes belong: layers that
    are computed again read their variables while it is differentiated.

    Args:
        function: A function of a list of tensors that returns a tuple: the
            loss, a scalar, and anything else.
        weights: List of tensors.

    Returns:
        A tuple: the list of gradients, `None` for a tensor that the loss does
        not depend on, and what `function` returned beside the loss.
    """
    weights = _requiring_gradients(weights)
    with torch.enable_grad():
        loss, others = function(weights)
    with torch.autograd.set_multithreading_enabled(False):
        gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    return gradients, others


def hessian_vector_product(function, weights, vector):
    """Returns the Hessian of a loss times a vector.

    Fused attention kernels have no second derivative, so attention is computed
    by the one that is made of other operations.

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
    weights = _requiring_gradients(weights)
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        gradients = torch.autograd.grad(
            function(weights), weights, create_graph=True, allow_unused=True
        )
    pairs = [
        (g, v)
        for g, v in zip(gradients, vector)
        if g is not None and g.requires_grad
    ]
    if not pairs:
        return [torch.zeros_like(w) for w in weights]
    outputs, directions = zip(*pairs)
    try:
        products = torch.autograd.grad(
            outputs, weights, grad_outputs=directions, allow_unused=True
        )
    except RuntimeError as error:
        raise _without_derivative(error) from error
    return [
        torch.zeros_like(w) if p is None else p
        for w, p in zip(weights, products)
    ]


def compiled(function):
    """Returns the function, compiled where the backend can.

    PyTorch records what it needs for derivatives only where they are taken.
    """
    return torch.no_grad()(function)


def _requiring_gradients(weights):
    """Those that do already may have a history, such as a trained variable."""
    return [
        w if w.requires_grad else w.detach().requires_grad_() for w in weights
    ]


def _without_derivative(error):
    """Returns the error to raise, which names the operation if torch does."""
    found = re.search(r"derivative for (\S+)|differentiate twice", str(error))
    if found is None:
        return error
    return NotImplementedError(
        "All operations of the model and the loss must have a second "
        f"derivative. Received: {found[1] or error}, which has none"
    )
