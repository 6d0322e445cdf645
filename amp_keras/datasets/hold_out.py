"""Holding examples out of a split."""

import numpy as np
from sklearn.model_selection import train_test_split

from amp_keras.errors import AMPKerasError

# The test part of data that has none is the same in every run, whatever its
# seed: else what one run is tested on would choose the settings of another.
_TEST_FRACTION = 0.2
_TEST_SEED = 0


def hold_out(split, fraction, seed):
    """Splits off a stratified fraction of the examples.

    Where the examples have groups, whole groups are split off, stratified by
    class, so that no group has examples on both sides.

    Args:
        split: A `Split`.
        fraction: Float between 0 and 1, the share to split off.
        seed: Int, chooses which.

    Returns:
        A tuple of two `Split`s: the rest, and the fraction.

    Raises:
        ValueError: If the fraction leaves less than one example (or group) for
            each class on one of the two sides.
    """
    groups = np.arange(len(split)) if split.groups is None else split.groups
    units, first = np.unique(groups, return_index=True)
    try:
        _, held_out = train_test_split(
            units,
            test_size=fraction,
            stratify=split.labels[first],
            random_state=seed,
        )
    except ValueError as error:
        raise ValueError(
            "`fraction` must leave an example of each class on both sides. "
            f"Received: fraction={fraction!r} of {len(units)}"
        ) from error
    is_held_out = np.isin(groups, held_out)
    return (
        split.take(np.flatnonzero(~is_held_out)),
        split.take(np.flatnonzero(is_held_out)),
    )


def hold_out_test(split):
    """Splits off a stratified fifth of the examples, always the same.

    Args:
        split: A `Split`.

    Returns:
        A tuple of two `Split`s: to train on, and to test.

    Raises:
        AMPKerasError: If there are too few examples of a class.
    """
    try:
        return hold_out(split, _TEST_FRACTION, _TEST_SEED)
    except ValueError as error:
        raise AMPKerasError(
            "a fifth of the images cannot be held out for testing: each class "
            "needs several, and a fifth at least as many as there are classes. "
            f"Received: {len(split)} images, "
            f"{np.bincount(split.labels).min()} of the smallest class"
        ) from error
