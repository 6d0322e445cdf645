import numpy as np
import pytest

from amp_keras import datasets

LABELS = np.repeat(np.arange(10, dtype="int32"), 1000)


def split(labels=LABELS):
    return datasets.Split(np.arange(len(labels)), labels)


def test_subset_keeps_the_shares_of_the_classes():
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    part = datasets.subset(split(labels), 50, seed=0)
    assert np.bincount(part.labels).tolist() == [30, 15, 5]
    assert len(np.unique(part.images)) == 50
    for examples in (1, 7, 999, 1000):
        assert len(datasets.subset(split(labels), examples, 0)) == examples


def test_subsets_of_one_seed_are_nested_and_of_another_seed_others():
    small, large, other = (
        set(datasets.subset(split(), examples, seed).images)
        for examples, seed in ((200, 5), (300, 5), (200, 6))
    )
    assert small < large
    assert len(small & other) < 20


@pytest.mark.parametrize("examples", [0, 10001])
def test_subset_of_too_many_is_refused(examples):
    with pytest.raises(ValueError, match=f"10000. Received: .*={examples}"):
        datasets.subset(split(), examples, 0)
