import numpy as np
import pytest
import tensorflow as tf

from amp_keras.datasets import Augmentation
from amp_keras.datasets import Split
from amp_keras.datasets import augmentation as functions
from amp_keras.datasets import evaluation_batches
from amp_keras.datasets import training_batches

EXAMPLES, CLASSES = 24, 3
KINDS = {
    "randaugment": Augmentation(randaugment=True),
    "cutout": Augmentation(cutout=5),
    "mixup": Augmentation(mixup=1.0),
    "cutmix": Augmentation(cutmix=1.0),
    "label_smoothing": Augmentation(label_smoothing=0.1),
    "several": Augmentation(cutout=5, mixup=0.2, label_smoothing=0.1),
}


def split():
    rng = np.random.default_rng(0)
    images = rng.integers(1, 256, size=(EXAMPLES, 12, 10, 3), dtype="uint8")
    return Split(images, (np.arange(EXAMPLES) % CLASSES).astype("int32"))


def batches(augmentation=None, seed=3, steps=6, data=None, **arguments):
    dataset = training_batches(
        data or split(),
        8,
        seed=seed,
        steps=steps,
        padding=2,
        flip=True,
        augmentation=augmentation,
        num_classes=CLASSES,
        **arguments,
    )
    return list(dataset.as_numpy_iterator())


def numbered_pixels(batch, height=4, width=6):
    """Images of which every pixel of example i is i + 1."""
    values = np.arange(1, batch + 1, dtype="float32")
    return np.tile(values[:, None, None, None], (1, height, width, 1))


@pytest.mark.parametrize("kind", KINDS)
def test_any_step_can_be_computed_without_those_before(kind):
    whole = batches(KINDS[kind])
    rest = batches(KINDS[kind], start_step=4)
    for (x, y), (rest_x, rest_y) in zip(whole[4:], rest, strict=True):
        np.testing.assert_array_equal(x, rest_x)
        np.testing.assert_array_equal(y, rest_y)


@pytest.mark.parametrize("kind", KINDS)
def test_shards_of_a_batch_make_up_the_batch(kind):
    shards = [batches(KINDS[kind], shard=(i, 2)) for i in range(2)]
    for parts, (x, y) in zip(zip(*shards), batches(KINDS[kind]), strict=True):
        images, labels = zip(*parts)
        assert {len(part) for part in images} == {4}
        np.testing.assert_array_equal(np.concatenate(images), x)
        np.testing.assert_array_equal(np.concatenate(labels), y)


@pytest.mark.parametrize("kind", ["randaugment", "cutout", "mixup", "cutmix"])
def test_seeds_and_steps_differ(kind):
    """Beyond the order of the images: the sorted batches are compared."""
    one = Split(split().images[:8], split().labels[:8])
    arguments = {"data": one, "augmentation": KINDS[kind]}
    first, second = batches(seed=0, steps=2, **arguments)
    (other,) = batches(seed=1, steps=1, **arguments)
    for batch in (second, other):
        assert not np.array_equal(
            sorted(first[0].sum((1, 2, 3))), sorted(batch[0].sum((1, 2, 3)))
        )


@pytest.mark.parametrize("kind", ["mixup", "cutmix", "label_smoothing"])
def test_soft_labels_are_distributions(kind):
    for x, y in batches(KINDS[kind]):
        assert x.dtype == y.dtype == np.float32
        assert y.shape == (8, CLASSES)
        np.testing.assert_allclose(y.sum(-1), 1.0, rtol=1e-6)


def test_without_augmentation_nothing_changes():
    for (x, y), (plain_x, plain_y) in zip(
        batches(Augmentation()), batches(None), strict=True
    ):
        np.testing.assert_array_equal(x, plain_x)
        np.testing.assert_array_equal(y, plain_y)
        assert y.dtype == np.int32


def test_images_of_label_smoothing_are_the_plain_ones():
    """Each augmentation has random numbers of its own."""
    for kind in ("label_smoothing", "cutout"):
        for (x, _), (plain, _) in zip(batches(KINDS[kind]), batches()):
            kept = x != 0
            np.testing.assert_array_equal(x[kept], plain[kept])


@pytest.mark.parametrize(
    "row, column, size, rows, columns",
    [
        (4, 5, 4, (2, 6), (3, 7)),
        (0, 0, 4, (0, 2), (0, 2)),
        (7, 9, 4, (5, 8), (7, 10)),
        (3, 9, 5, (1, 6), (7, 10)),
        (3, 3, 40, (0, 8), (0, 10)),
    ],
)
def test_cutout_is_a_square_clipped_at_the_border(
    row, column, size, rows, columns
):
    images = np.ones((2, 8, 10, 3), "float32")
    result = functions.cutout(
        tf.constant(images),
        size,
        tf.constant([row, 0]),
        tf.constant([column, 0]),
    )
    expected = images[0]
    expected[slice(*rows), slice(*columns)] = 0.0
    np.testing.assert_array_equal(result[0], expected)


def test_cutout_reaches_every_pixel_and_no_more_than_its_area():
    data = Split(np.full((8, 6, 6, 3), 7, "uint8"), np.zeros(8, "int32"))
    dataset = training_batches(
        data, 8, seed=0, steps=60, augmentation=Augmentation(cutout=2)
    )
    x = np.concatenate([x for x, _ in dataset.as_numpy_iterator()])
    black = (x == 0).all(-1)
    assert set(np.unique(x)) == {0.0, 7.0}
    # Centers in the first row or column are clipped to half.
    assert set(black.sum((1, 2))) == {1, 2, 4}
    assert black.any(0).all()


def test_mixup_worked_by_hand():
    images, labels = numbered_pixels(3), np.eye(3, dtype="float32")
    x, y = functions.mixup(images, labels, [2, 0, 1], 0.75)
    np.testing.assert_allclose(x[:, 0, 0, 0], [1.5, 1.75, 2.75])
    np.testing.assert_allclose(
        y, [[0.75, 0, 0.25], [0.25, 0.75, 0], [0, 0.25, 0.75]]
    )


def test_mixup_has_one_weight_a_batch_from_beta():
    """Labels hold the weight; Beta(a, a) has variance 1 / (4 (2a + 1))."""
    data = Split(split().images[:8], np.arange(8, dtype="int32"))
    dataset = training_batches(
        data,
        8,
        seed=0,
        steps=2000,
        augmentation=Augmentation(mixup=0.5),
        num_classes=8,
    )
    weights = []
    for images, labels in dataset.as_numpy_iterator():
        values = np.unique(labels[(labels > 0) & (labels < 1)].round(5))
        assert len(values) <= 2
        if len(values) == 2:
            weights.append(values[0])
        assert images.min() >= 0 and images.max() <= 255.001
    # Two values w and 1 - w, the smaller one first.
    centered = np.square(np.array(weights) - 0.5)
    assert np.mean(centered) == pytest.approx(1 / 8, rel=0.1)


@pytest.mark.parametrize(
    "weight, center, rows, columns",
    [
        # Half of both sides, 4 and 6 pixels.
        (0.75, (0.5, 0.5), (2, 6), (3, 9)),
        (0.75, (0.0, 0.99), (0, 2), (8, 12)),
        (1.0, (0.5, 0.5), (0, 0), (0, 0)),
        (0.0, (0.5, 0.5), (0, 8), (0, 12)),
    ],
)
def test_cutmix_pastes_a_rectangle_and_counts_its_pixels(
    weight, center, rows, columns
):
    images, labels = numbered_pixels(2, 8, 12), np.eye(2, dtype="float32")
    x, y = functions.cutmix(
        tf.constant(images), tf.constant(labels), [1, 0], weight, center
    )
    pasted = np.zeros((8, 12), bool)
    pasted[slice(*rows), slice(*columns)] = True
    np.testing.assert_array_equal(x[0, ..., 0] == 2.0, pasted)
    np.testing.assert_array_equal(x[1, ..., 0] == 1.0, pasted)
    share = (rows[1] - rows[0]) * (columns[1] - columns[0]) / 96
    expected = [[1 - share, share], [share, 1 - share]]
    np.testing.assert_allclose(y, expected, rtol=1e-6)


def test_share_of_labels_is_that_of_pixels_in_the_pipeline():
    labels = np.arange(8, dtype="int32")
    images = np.tile(labels[:, None, None, None], (1, 12, 10, 3)) + 1
    dataset = training_batches(
        Split(images.astype("uint8"), labels),
        8,
        seed=0,
        steps=20,
        augmentation=Augmentation(cutmix=1.0),
        num_classes=8,
    )
    shares = []
    for x, y in dataset.as_numpy_iterator():
        pixels = x[..., 0].astype("int32") - 1
        counted = [np.bincount(p.ravel(), minlength=8) / 120 for p in pixels]
        np.testing.assert_allclose(y, counted, atol=1e-6)
        shares.append(y.max())
    assert len(set(shares)) > 10


def test_label_smoothing_worked_by_hand():
    labels = tf.one_hot([1], 4)
    np.testing.assert_allclose(
        functions.smooth(labels, 0.2), [[0.05, 0.85, 0.05, 0.05]]
    )


def test_randaugment_changes_images_within_their_range():
    changed = []
    for (x, y), (plain, plain_y) in zip(
        batches(KINDS["randaugment"]), batches(), strict=True
    ):
        assert x.shape == plain.shape and x.min() >= 0 and x.max() <= 255
        np.testing.assert_array_equal(y, plain_y)
        changed += [not np.array_equal(a, b) for a, b in zip(x, plain)]
    assert np.mean(changed) > 0.9


def test_randaugment_draws_operations_for_each_image():
    """Equal images of a batch become different ones."""
    data = Split(
        np.tile(split().images[:1], (8, 1, 1, 1)), np.zeros(8, "int32")
    )
    dataset = training_batches(
        data, 8, seed=0, steps=1, augmentation=KINDS["randaugment"]
    )
    ((x, _),) = dataset.as_numpy_iterator()
    assert len({image.tobytes() for image in x}) >= 6


def test_evaluation_can_have_one_hot_labels():
    dataset = evaluation_batches(split(), 8, num_classes=CLASSES)
    labels = np.concatenate([y for _, y in dataset.as_numpy_iterator()])
    np.testing.assert_array_equal(labels, np.eye(CLASSES)[split().labels])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"cutout": -1}, "`cutout` must be finite and >= 0. .*cutout=-1"),
        ({"mixup": float("nan")}, "`mixup` must be finite .*mixup=nan"),
        ({"cutmix": -0.5}, "`cutmix` must be .*cutmix=-0.5"),
        ({"label_smoothing": 1.0}, "< 1. Received: label_smoothing=1.0"),
        ({"mixup": 1.0, "cutmix": 0.5}, "exclude .* mixup=1.0, cutmix=0.5"),
    ],
)
def test_impossible_augmentation_raises(arguments, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**arguments)


def test_randaugment_of_gray_images_raises():
    gray = Split(split().images[..., :1], split().labels)
    with pytest.raises(ValueError, match=r"RGB .*\(12, 10, 1\)"):
        batches(KINDS["randaugment"], data=gray)
