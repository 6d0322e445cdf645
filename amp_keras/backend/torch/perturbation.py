"""The inner maximization with few kernels for many tensors.

`amp_keras.perturbation` has the reference, functions of the same names. Eager
PyTorch starts a kernel for each operation on each variable; with a small
network, starting them takes longer than running them.
"""

import functools
import math

import keras
import torch

from amp_keras.perturbation import wide_dtype

_TINY = 1e-37

# Between them no square overflows, and none that counts vanishes.
_LEAST_NORM, _MOST_NORM = 1e-15, 1e15


def zeros(variables):
    """As `amp_keras.perturbation.zeros`."""
    return [torch.zeros_like(v, dtype=_wide(v.dtype)) for v in variables]


def widen(tensors):
    """As `amp_keras.perturbation.widen`."""
    return [t.to(_wide(t.dtype)) for t in tensors]


def add(perturbation, values):
    """As `amp_keras.perturbation.add`."""
    casts = [p.to(v.dtype) for v, p in zip(values, perturbation)]
    return list(torch._foreach_add(values, casts))


def ascend(perturbation, gradients, inner_lr):
    """As `amp_keras.perturbation.ascend`."""
    return torch._foreach_add(perturbation, gradients, alpha=inner_lr)


def project(perturbation, epsilon, norm="global"):
    """As `amp_keras.perturbation.project`."""
    if norm == "per_variable":
        shrinkages = [_shrinkage([p], epsilon) for p in perturbation]
        return torch._foreach_mul(perturbation, shrinkages)
    return torch._foreach_mul(perturbation, _shrinkage(perturbation, epsilon))


def l2_norm(tensors):
    """As `amp_keras.perturbation.l2_norm`, of tensors of one dtype.

    Values are made smaller unless a CPU sees that they need not be.
    """
    if _is_known(tensors[0]):
        norm = _norm_of_squares(tensors)
        if _LEAST_NORM < norm.item() < _MOST_NORM:
            return norm
    largest = torch.stack(torch._foreach_norm(tensors, torch.inf)).amax()
    unit = largest.clamp(min=_TINY)
    return unit * _norm_of_squares(torch._foreach_div(tensors, unit))


def all_finite(tensors):
    """As `amp_keras.perturbation.all_finite`, or `True` where a CPU sees it.

    Squares can overflow where no value is infinite, but not the reverse. The
    largest magnitude takes a CPU ten times as long.
    """
    if _is_known(tensors[0]) and math.isfinite(_norm_of_squares(tensors)):
        return True
    largest = torch._foreach_norm(tensors, torch.inf)
    dtype = functools.reduce(torch.promote_types, (n.dtype for n in largest))
    return torch.stack([n.to(dtype) for n in largest]).isfinite().all()


def _is_known(tensor):
    """A CPU knows values without waiting; a graph must hold every case."""
    return tensor.is_cpu and not torch.compiler.is_compiling()


def _norm_of_squares(tensors):
    norms = torch._foreach_norm(tensors)
    return torch.linalg.vector_norm(torch.stack(norms))


def _wide(dtype):
    if dtype == torch.float32:
        return dtype
    return getattr(torch, wide_dtype(keras.backend.standardize_dtype(dtype)))


def _shrinkage(tensors, epsilon):
    return (epsilon / l2_norm(tensors).clamp(min=_TINY)).clamp(max=1.0)
