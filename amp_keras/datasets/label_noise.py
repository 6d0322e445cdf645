"""Wrong labels drawn on purpose, to see what a method makes of them."""

import dataclasses

import numpy as np

NOISE_KINDS = ("symmetric", "pair")

# Other draws with the same seed must not choose the same examples.
_STREAM = 1


def add_label_noise(split, num_classes, rate, kind="symmetric", seed=0):
    """Replaces labels by wrong ones.

    Of n examples, `round(rate * n)` are drawn, and each gets the label of
    another class, never its own: `rate` is the share of wrong labels, as in
    Han et al. Elsewhere the new label is drawn from all classes, the true one
    included; a rate r of that convention is `r * (num_classes - 1) /
    num_classes` here.

    Args:
        split: A `Split`. It stays as it is.
        num_classes: Int, at least 2.
        rate: Float, 0 <= rate <= 1, the share of the labels to replace.
        kind: String. With `"symmetric"` the new label is drawn uniformly from
            the other classes; with `"pair"` it is that of the next class, and
            that of the first class for the last. Defaults to `"symmetric"`.
        seed: Int, chooses examples and labels. Defaults to `0`.

    Returns:
        A tuple: a `Split` whose `clean_labels` are the labels before, and the
        share of its labels that is wrong, a float.

    Raises:
        ValueError: If an argument is not as described.

    Reference:
        Han et al., "Co-teaching: Robust Training of Deep Neural Networks with
        Extremely Noisy Labels", NeurIPS 2018, figure 2.
    """
    _check(num_classes, rate, kind)
    generator = np.random.default_rng((seed, _STREAM))
    examples = generator.permutation(len(split))[: round(rate * len(split))]
    shift = np.ones(len(examples), "int32")
    if kind == "symmetric":
        shift = generator.integers(1, num_classes, len(examples))
    labels = split.labels.copy()
    labels[examples] = (labels[examples] + shift) % num_classes
    clean = split.labels if split.clean_labels is None else split.clean_labels
    noisy = dataclasses.replace(split, labels=labels, clean_labels=clean)
    return noisy, noisy.wrong_share


def _check(num_classes, rate, kind):
    if num_classes < 2:
        raise ValueError(
            f"`num_classes` must be at least 2. Received: {num_classes}"
        )
    if not 0 <= rate <= 1:
        raise ValueError(
            f"`rate` must be a float between 0 and 1. Received: rate={rate}"
        )
    if kind not in NOISE_KINDS:
        raise ValueError(
            f"`kind` must be one of {', '.join(NOISE_KINDS)}. "
            f"Received: kind={kind}"
        )
