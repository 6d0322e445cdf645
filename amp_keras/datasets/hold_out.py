"""Holding examples out of a split."""

import numpy as np
from sklearn.model_selection import train_test_split


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
