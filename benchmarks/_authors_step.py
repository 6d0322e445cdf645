"""Takes steps by the authors' optimizer whenever a line on stdin asks for some.

`_authors.py` starts it as a process of its own. A step is what `main.py` of the
authors does for a batch: the batch goes to the device, the closure clears the
gradients and computes them, the loss is read. What `fit()` does not do for us
either is left out: loading and augmenting images, counting right answers,
clipping and weight decay.
"""

import hashlib
import importlib.util
import json
import pathlib
import sys
import time

import _torch_networks as torch_networks
import torch

_DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
_LAYOUTS = {
    ", channels first": torch.contiguous_format,
    ", channels last": torch.channels_last,
}
_SGD = {"lr": 0.01, "momentum": 0.9, "nesterov": True}


class Step:
    """Takes steps of one kind and measures them.

    Attributes:
        shapes: List of lists, of the weights.
        passes: Integer, forward and backward passes over a batch in a step.
        compile_seconds: Float, what the first step took.
    """

    def __init__(self, model, batch_size, layout, amp=None):
        network, self._x, self._y = torch_networks.get(model, batch_size)
        self._layout = layout
        self._network = network.to(_DEVICE, memory_format=layout)
        weights = list(self._network.parameters())
        self.shapes = [list(weight.shape) for weight in weights]
        self.passes = 2 if amp else 1
        self._optimizer = (
            amp(weights, epsilon=0.05, inner_iter=1, **_SGD)
            if amp
            else torch.optim.SGD(weights, **_SGD)
        )
        self._loss = torch.nn.CrossEntropyLoss()
        self.compile_seconds = self.seconds(1)

    def seconds(self, steps):
        """Takes steps and returns the mean seconds of one."""
        start = time.perf_counter()
        for _ in range(steps):
            self._take()
        return (time.perf_counter() - start) / steps

    def _take(self):
        x = self._x.to(_DEVICE, memory_format=self._layout)
        y = self._y.to(_DEVICE)

        def closure():
            self._optimizer.zero_grad()
            outputs = self._network(x)
            loss = self._loss(outputs, y)
            loss.backward()
            return outputs, loss

        _, loss = self._optimizer.step(closure)
        # Waits for all that the device has to do.
        loss.item()


def steps(path, model, batch_size):
    """Returns a dict of `Step`s by kind."""
    layouts = _LAYOUTS
    if model == "mlp":
        layouts = {"": torch.contiguous_format}
    amp = imported(path).AMP
    return {
        kind + suffix: Step(model, batch_size, layout, optimizer)
        for kind, optimizer in (
            ("PyTorch alone, plain", None),
            ("authors' AMP, N=1", amp),
        )
        for suffix, layout in layouts.items()
    }


def imported(path):
    """Returns the module of a file; what lies beside it is not found by it."""
    spec = importlib.util.spec_from_file_location("authors_amp", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def about(path):
    return {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "device": str(_DEVICE),
        "sha256 of amp.py": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def say(answer):
    print(json.dumps(answer), file=sys.__stdout__, flush=True)


def main(folder, model, batch_size):
    # What the authors' code prints is no answer.
    sys.stdout = sys.stderr
    path = pathlib.Path(folder) / "amp.py"
    ready = steps(path, model, int(batch_size))
    keys = ("shapes", "passes", "compile_seconds")
    kinds = {
        kind: {key: getattr(step, key) for key in keys}
        for kind, step in ready.items()
    }
    say({"about": about(path), "kinds": kinds})
    for line in sys.stdin:
        kind, count = json.loads(line)
        say(ready[kind].seconds(count))


if __name__ == "__main__":
    main(*sys.argv[1:])
