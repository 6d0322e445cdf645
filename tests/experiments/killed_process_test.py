"""A process that is killed and started again ends as one left alone."""

import keras
import pytest
import soak


@pytest.mark.skipif(
    keras.config.backend() != "tensorflow",
    reason="takes minutes; on JAX run soak_table.py",
)
@pytest.mark.parametrize("kills", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_killed_process_ends_bit_for_bit_as_one_left_alone(kills, tmp_path):
    arguments = (
        "--dataset=digits",
        "--model=resnet8",
        "--epochs=3",
        "--batch_size=64",
        "--checkpoint_steps=3",
        "--validation_split=0.1",
    )
    runs = soak.Soak(tmp_path, arguments, kills)
    first, second, _ = runs.run_alone()
    assert len(list(runs.run_killed(first, second))) == kills
    assert runs.differences() == []
