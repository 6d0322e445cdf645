"""The command line on the active backend, in processes of its own."""

import json
import re
import time

import keras
import numpy as np
import processes
import pytest

BACKEND = keras.config.backend()
SMALL = "--model=resnet8"


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    run = tmp_path_factory.mktemp("single") / "run"
    processes.finish(processes.start(SMALL, f"--output_dir={run}"))
    return run


def read_json(path):
    return json.loads(path.read_text())


def assert_same_run(run, expected):
    """To 1e-5: weights, batch statistics, metrics and history."""
    assert processes.largest_difference(run, expected) < 1e-5
    metrics, others = (read_json(r / "metrics.json") for r in (run, expected))
    assert metrics["test_loss"] == pytest.approx(others["test_loss"], rel=1e-4)
    history, expected_history = (
        np.genfromtxt(r / "history.csv", delimiter=",", names=True)
        for r in (run, expected)
    )
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(
            history[name], expected_history[name], rtol=1e-5
        )


def test_run_says_which_backend_it_used(single):
    config = read_json(single / "config.json")
    assert config["backend"] == BACKEND
    assert BACKEND in config["versions"]
    assert read_json(single / "metrics.json")["num_replicas"] == 1


@pytest.mark.skipif(BACKEND != "jax", reason="distribution of JAX")
def test_two_devices_equal_one(single, tmp_path):
    run = tmp_path / "run"
    output = processes.finish(
        processes.start(
            SMALL, f"--output_dir={run}", XLA_FLAGS=processes.TWO_DEVICES
        )
    )
    assert "2 jax devices" in output
    assert read_json(run / "metrics.json")["num_replicas"] == 2
    assert_same_run(run, single)


@pytest.mark.skipif(BACKEND != "jax", reason="processes of JAX")
def test_two_processes_equal_one(single, tmp_path):
    run = tmp_path / "run"
    first, second = processes.run_two_processes(run, SMALL)
    assert "process 1 of 2" in first and "process 2 of 2" in second
    assert "wrote" in first and "wrote" not in second
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert_same_run(run, single)
    again, other = processes.run_two_processes(run, SMALL)
    assert again.splitlines()[2:] == first.splitlines()[2:]
    assert "nothing to train" in other


@pytest.mark.skipif(BACKEND != "jax", reason="processes of JAX")
def test_second_process_ends_when_the_first_cannot_begin(single):
    first, second = processes.start_two_processes(single, SMALL, "--seed=1")
    _, errors = first.communicate(timeout=100)
    assert first.returncode == 2 and "--overwrite" in errors
    assert "nothing to train" in processes.finish(second)


@pytest.mark.skipif(BACKEND != "jax", reason="processes of JAX")
def test_several_processes_refuse_a_single_device(tmp_path):
    run = tmp_path / "run"
    for process in processes.start_two_processes(run, "--distribution=none"):
        _, errors = process.communicate(timeout=100)
        assert process.returncode == 2
        assert "must be auto or data_parallel" in errors
    assert not run.exists()


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "jax", reason="processes of JAX")
def test_two_killed_processes_go_on(single, tmp_path):
    run = tmp_path / "run"
    started = processes.start_two_processes(run, SMALL, "--checkpoint_steps=1")
    while not (run / "checkpoints" / "step-1.checkpoint").exists():
        assert all(process.poll() is None for process in started)
        time.sleep(0.05)
    for process in started:
        process.kill()
        process.communicate()
    first, second = processes.run_two_processes(
        run, SMALL, "--checkpoint_steps=1"
    )
    assert "going on after step" in first and "going on" not in second
    assert_same_run(run, single)


@pytest.mark.parametrize(
    "argument, needed",
    [
        ("--distribution=mirrored", "tensorflow"),
        ("--distribution=data_parallel", "jax"),
        ("--num_processes=2", "jax"),
    ],
)
def test_distribution_of_another_backend_is_refused(argument, needed, tmp_path):
    if needed == BACKEND:
        pytest.skip("of this backend")
    process = processes.start(f"--output_dir={tmp_path / 'run'}", argument)
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 2
    message = f"train.py: .* needs .*KERAS_BACKEND={needed}.*={BACKEND}"
    assert re.fullmatch(message, errors.splitlines()[-1])
    assert not any(tmp_path.iterdir())
