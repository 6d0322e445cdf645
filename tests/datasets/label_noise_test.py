import numpy as np
import pytest

from amp_keras import datasets

LABELS = np.repeat(np.arange(10, dtype="int32"), 1000)


def split(labels=LABELS):
    return datasets.Split(np.arange(len(labels)), labels)


def test_symmetric_noise_is_wrong_for_exactly_the_rate():
    noisy, share = datasets.add_label_noise(split(), 10, 0.4, seed=1)
    assert share == np.mean(noisy.labels != LABELS) == 0.4
    np.testing.assert_array_equal(noisy.clean_labels, LABELS)
    assert noisy.labels.dtype == np.int32


def test_symmetric_noise_spreads_evenly_over_the_other_classes():
    noisy, _ = datasets.add_label_noise(split(), 10, 0.9)
    counts = np.zeros((10, 10))
    np.add.at(counts, (LABELS, noisy.labels), 1)
    # 100 each; the standard deviation is below 10.
    assert np.all(np.abs(counts - 100) < 50)


def test_pair_noise_takes_the_next_class():
    noisy, share = datasets.add_label_noise(split(), 10, 0.3, "pair")
    wrong = noisy.labels != LABELS
    assert share == wrong.mean() == 0.3
    np.testing.assert_array_equal(noisy.labels[wrong], (LABELS[wrong] + 1) % 10)
    assert 0 in noisy.labels[wrong]


def test_noise_is_a_function_of_the_seed_and_leaves_the_split_alone():
    given = split(LABELS.copy())
    first, again, other = (
        datasets.add_label_noise(given, 10, 0.4, seed=seed)[0].labels
        for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert np.mean(first != other) > 0.3
    np.testing.assert_array_equal(given.labels, LABELS)
    assert given.wrong_share is None


def test_no_noise_is_no_change():
    noisy, share = datasets.add_label_noise(split(), 10, 0.0)
    np.testing.assert_array_equal(noisy.labels, LABELS)
    assert share == 0


def test_parts_keep_their_clean_labels():
    noisy, _ = datasets.add_label_noise(split(), 10, 0.4)
    train, held_out = datasets.hold_out(noisy, 0.25, seed=0)
    np.testing.assert_array_equal(
        held_out.clean_labels, held_out.images // 1000
    )
    wrong = [len(part) * part.wrong_share for part in (train, held_out)]
    assert sum(wrong) == pytest.approx(4000)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((10, 1.5), "between 0 and 1. Received: rate=1.5"),
        ((10, float("nan")), "Received: rate=nan"),
        ((10, 0.1, "odd"), "symmetric, pair. Received: kind=odd"),
        ((1, 0.1), "at least 2"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        datasets.add_label_noise(split(), *arguments)
