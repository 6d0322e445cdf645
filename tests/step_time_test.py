"""`benchmarks/step_time.py --versus`: what it compares, and what it refuses."""

import importlib.util
import json
import pathlib
import subprocess
import sys

import keras
import pytest

from amp_keras import models
from amp_keras.errors import AMPKerasError

BENCHMARKS = pathlib.Path(__file__).parents[1] / "benchmarks"
# An optimizer with the arguments and the closure of the authors' one.
AMP = """
import torch

print("loaded")

class AMP(torch.optim.SGD):
    def __init__(self, params, lr, epsilon, inner_lr=1, inner_iter=1, **kwargs):
        super().__init__(params, lr, **kwargs)
"""
needs_torch = pytest.mark.skipif(
    keras.config.backend() != "torch", reason="It is PyTorch code."
)


def module(name):
    path = BENCHMARKS / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def step_time(*arguments):
    return subprocess.run(
        [sys.executable, BENCHMARKS / "step_time.py", *arguments],
        capture_output=True,
        text=True,
    )


def test_networks_with_other_weights_are_refused():
    authors = module("_authors")
    authors.check_same_network([(3, 3, 1, 2), (2,)], [(2, 1, 3, 3), (2,)])
    with pytest.raises(AMPKerasError, match=r"20 .* Received: 18$"):
        authors.check_same_network([(3, 3, 1, 2), (2,)], [(2, 1, 3, 3)])
    with pytest.raises(AMPKerasError):
        authors.check_same_network([(4,), (4,)], [(2,), (6,)])


def test_network_that_is_not_written_for_pytorch_is_refused(tmp_path):
    (tmp_path / "amp.py").write_text(AMP)
    with pytest.raises(AMPKerasError, match="mlp or resnet20.*=vgg11$"):
        module("_authors").Authors(str(tmp_path), "vgg11", 1)


def test_speed_is_a_multiple_of_the_faster_layout_of_the_authors():
    results = {
        "plain": {"seconds": [1.0, 1.0, 1.0]},
        "authors' AMP, channels first": {"seconds": [6.0, 2.0, 6.0]},
        "authors' AMP, channels last": {"seconds": [4.0, 3.0, 5.0]},
    }
    module("_authors").add_speeds(results)
    assert results["plain"]["speed_to_authors"] == 4.0
    assert results["plain"]["speed_to_authors_spread"] == 1.0 / 4.0


def test_folder_without_the_authors_code_ends_in_one_line(tmp_path):
    result = step_time("--model=mlp", f"--versus={tmp_path}")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1] == (
        "`--versus` must be a checkout of the authors' repository, with amp.py "
        f"in it. Received: --versus={tmp_path}"
    )
    assert "Traceback" not in result.stderr


@needs_torch
def test_resnet20_of_pytorch_is_that_of_the_package():
    network, x, _ = module("_torch_networks").get("resnet20", 2)
    ours = models.get("resnet20")((32, 32, 3), 10)
    module("_authors").check_same_network(
        [w.shape for w in ours.trainable_weights],
        [w.shape for w in network.parameters()],
    )
    shapes = {
        tuple(layer.output.shape[1:])
        for layer in ours.layers
        if isinstance(layer, keras.layers.Conv2D)
    }
    assert output_shapes_of_convolutions(network, x) == shapes


def output_shapes_of_convolutions(network, x):
    """Returns a set of (height, width, channels)."""
    shapes = set()

    def note(layer, inputs, output):
        shapes.add((*output.shape[2:], output.shape[1]))

    for layer in network.modules():
        if type(layer).__name__ == "Conv2d":
            layer.register_forward_hook(note)
    network(x)
    return shapes


@needs_torch
def test_authors_code_takes_turns_and_every_round_is_written(tmp_path):
    (tmp_path / "amp.py").write_text(AMP)
    output = tmp_path / "measured.json"
    result = step_time(
        "--model=mlp",
        "--batch_size=8",
        "--rounds=2",
        "--seconds=0",
        f"--versus={tmp_path}",
        f"--output={output}",
    )
    assert result.returncode == 0, result.stderr
    measured = json.loads(output.read_text())
    assert measured["authors"]["threads"] > 0
    kinds = {
        "plain": 1,
        "AMP, per variable, N=1": 2,
        "AMP, per variable, 1/8 of the batch": 1.125,
        "PyTorch alone, plain": 1,
        "authors' AMP, N=1": 2,
    }
    rows = [line.split(" | ")[0] for line in result.stdout.splitlines()[2:]]
    assert rows == [f"| {kind}" for kind in kinds]
    for kind, passes in kinds.items():
        row = measured["results"][kind]
        assert row["passes"] == passes
        assert len(row["seconds"]) == 2 and min(row["seconds"]) > 0
        assert row["speed_to_authors"] > 0
    assert measured["results"]["authors' AMP, N=1"]["speed_to_authors"] == 1
