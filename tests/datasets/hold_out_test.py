import numpy as np
import pytest

from amp_keras.datasets import Split
from amp_keras.datasets import hold_out


def numbered(labels, groups=None):
    """Images that tell which example they are."""
    images = np.arange(len(labels), dtype="uint8").reshape(-1, 1, 1, 1)
    return Split(images, np.asarray(labels, "int32"), groups)


def test_fraction_is_stratified_and_loses_nothing():
    labels = [0] * 80 + [1] * 20
    rest, held_out = hold_out(numbered(labels), 0.25, seed=0)
    assert np.bincount(held_out.labels).tolist() == [20, 5]
    assert np.bincount(rest.labels).tolist() == [60, 15]
    ids = np.concatenate([rest.images, held_out.images]).ravel()
    assert sorted(ids) == list(range(100))


def test_groups_are_never_divided():
    labels = np.repeat([0, 1], 60)
    groups = np.arange(120) // 6
    rest, held_out = hold_out(numbered(labels, groups), 0.3, seed=0)
    assert not set(rest.groups) & set(held_out.groups)
    assert np.bincount(held_out.labels).tolist() == [18, 18]
    assert len(rest) + len(held_out) == 120


def test_the_seed_chooses():
    split = numbered([0, 1] * 50)
    ids = [hold_out(split, 0.2, seed)[1].images.ravel() for seed in (0, 0, 1)]
    np.testing.assert_array_equal(ids[0], ids[1])
    assert ids[0].tolist() != ids[2].tolist()


@pytest.mark.parametrize("fraction", [0.01, 0.99])
def test_fraction_without_an_example_of_each_class_raises(fraction):
    with pytest.raises(ValueError, match=f"fraction={fraction} of 20"):
        hold_out(numbered([0, 1] * 10), fraction, seed=0)
