"""The command line on the active backend, in processes of its own."""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest

BACKEND = keras.config.backend()
APP = pathlib.Path(__file__).parents[2] / "apps" / "train.py"

# A learning rate at which rounding errors do not grow from step to step.
ARGUMENTS = [
    "--epochs=2",
    "--train_examples=128",
    "--batch_size=64",
    "--learning_rate=0.0001",
    "--warmup_epochs=0",
    "--validation_split=0.1",
    "--epsilon=0.05",
    "--verbose=0",
]


def start(*arguments, **environment):
    """Starts `python apps/train.py`; by default on a single device."""
    environment = {"XLA_FLAGS": "", **environment}
    return subprocess.Popen(
        [sys.executable, APP, *ARGUMENTS, *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    return output


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    run = tmp_path_factory.mktemp("single") / "run"
    finish(start(f"--output_dir={run}"))
    return run


def read_json(path):
    return json.loads(path.read_text())


def weights(run):
    return keras.models.load_model(run / "model.keras").get_weights()


def assert_same_run(run, expected):
    """To 1e-5: weights, batch statistics, measures and history."""
    for a, b in zip(weights(run), weights(expected), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    metrics, others = (read_json(r / "metrics.json") for r in (run, expected))
    assert metrics["test_loss"] == pytest.approx(others["test_loss"], rel=1e-4)
    history = [
        np.genfromtxt(r / "history.csv", delimiter=",", names=True)
        for r in (run, expected)
    ]
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(history[0][name], history[1][name], 1e-5)


def test_run_says_which_backend_it_used(single):
    config = read_json(single / "config.json")
    assert config["backend"] == BACKEND
    assert BACKEND in config["versions"]
    assert read_json(single / "metrics.json")["num_replicas"] == 1


@pytest.mark.skipif(BACKEND != "jax", reason="distribution of JAX")
def test_two_devices_equal_one(single, tmp_path):
    two_devices = "--xla_force_host_platform_device_count=2"
    run = tmp_path / "run"
    output = finish(start(f"--output_dir={run}", XLA_FLAGS=two_devices))
    assert "2 jax devices" in output
    assert read_json(run / "metrics.json")["num_replicas"] == 2
    assert_same_run(run, single)


def free_port():
    with socket.socket() as server:
        server.bind(("localhost", 0))
        return server.getsockname()[1]


@pytest.mark.skipif(BACKEND != "jax", reason="processes of JAX")
def test_two_processes_equal_one(single, tmp_path):
    """The first by flags, the second by the environment."""
    run, address = tmp_path / "run", f"localhost:{free_port()}"
    first = start(
        f"--output_dir={run}",
        f"--coordinator_address={address}",
        "--num_processes=2",
        "--process_id=0",
    )
    second = start(
        f"--output_dir={tmp_path / 'none'}",
        KERAS_DISTRIBUTION_JOB_ADDRESSES=address,
        KERAS_DISTRIBUTION_NUM_PROCESSES="2",
        KERAS_DISTRIBUTION_PROCESS_ID="1",
    )
    assert "wrote" in finish(first)
    assert "wrote" not in finish(second)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert_same_run(run, single)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--distribution=mirrored"], "needs .*KERAS_BACKEND=tensorflow"),
        (["--distribution=data_parallel"], "needs .*KERAS_BACKEND=jax"),
        (["--num_processes=2"], "several processes needs .*KERAS_BACKEND=jax"),
    ],
)
def test_distribution_of_another_backend_is_refused(
    arguments, message, tmp_path
):
    if f"={BACKEND}" in message:
        pytest.skip("of this backend")
    process = start(f"--output_dir={tmp_path / 'run'}", *arguments)
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 1
    assert re.search(f"train.py: .*{message}", errors)
    assert not any(tmp_path.iterdir())
