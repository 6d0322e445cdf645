"""A smaller part of a split with the same shares of the classes."""

import numpy as np

# Other draws with the same seed must not choose the same examples.
_STREAM = 2


def subset(split, examples, seed):
    """Draws examples so that each class keeps its share.

    The parts of one seed are nested: a larger one contains a smaller one.

    Args:
        split: A `Split`.
        examples: Int, how many to draw.
        seed: Int, chooses which.

    Returns:
        A `Split` of exactly so many examples, in the order that they had.

    Raises:
        ValueError: If `examples` is not between 1 and `len(split)`.
    """
    if not 1 <= examples <= len(split):
        raise ValueError(
            f"`examples` must be between 1 and {len(split)}. "
            f"Received: examples={examples}"
        )
    order = np.random.default_rng((seed, _STREAM)).permutation(len(split))
    labels = split.labels[order]
    position = np.empty(len(split))
    for label in np.unique(labels):
        (own,) = np.nonzero(labels == label)
        # Every class is spread evenly between 0 and 1, as if each were as
        # long, so that what lies below a bound is the same share of each.
        position[own] = (np.arange(len(own)) + 0.5) / len(own)
    chosen = order[np.argsort(position, kind="stable")[:examples]]
    return split.take(np.sort(chosen))
