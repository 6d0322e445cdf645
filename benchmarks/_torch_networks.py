"""PyTorch networks with the weights of those in `_step_networks.py`."""

import torch
from torch import nn
from torch.nn import functional

_CLASSES = 10


def get(name, batch_size):
    """Returns a network with logits of 10 classes, inputs and labels.

    Args:
        name: String, `"mlp"` or `"resnet20"`.
        batch_size: Integer.
    """
    network, shape = {
        "mlp": (_mlp, (64,)),
        "resnet20": (_resnet20, (3, 32, 32)),
    }[name]
    labels = torch.randint(_CLASSES, (batch_size,))
    return network(), torch.randn(batch_size, *shape), labels


def _mlp():
    return nn.Sequential(
        nn.Linear(64, 128),
        nn.ReLU(),
        nn.Linear(128, 128),
        nn.ReLU(),
        nn.Linear(128, _CLASSES),
    )


def _resnet20():
    """That of He et al. for CIFAR-10, as `amp_keras.models.resnet20`."""
    blocks = [_conv_norm(3, 16), nn.ReLU(inplace=True)]
    inputs = 16
    for filters in (16, 32, 64):
        for _ in range(3):
            blocks.append(_Block(inputs, filters))
            inputs = filters
    return nn.Sequential(
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(inputs, _CLASSES),
    )


class _Block(nn.Module):
    """Halves the resolution where the number of filters grows."""

    def __init__(self, inputs, filters):
        super().__init__()
        self._strides = 1 if inputs == filters else 2
        self._missing = filters - inputs
        self._residual = nn.Sequential(
            _conv_norm(inputs, filters, self._strides),
            nn.ReLU(inplace=True),
            _conv_norm(filters, filters),
        )

    def forward(self, x):
        return functional.relu(self._residual(x) + self._shortcut(x), True)

    def _shortcut(self, x):
        if not self._missing:
            return x
        before = self._missing // 2
        x = x[:, :, :: self._strides, :: self._strides]
        padding = (0, 0, 0, 0, before, self._missing - before)
        return functional.pad(x, padding)


def _conv_norm(inputs, filters, strides=1):
    return nn.Sequential(
        nn.Conv2d(inputs, filters, 3, strides, padding=1, bias=False),
        nn.BatchNorm2d(filters),
    )
