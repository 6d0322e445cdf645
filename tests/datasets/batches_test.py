import numpy as np
import pytest

from amp_keras.datasets import Split
from amp_keras.datasets import evaluation_batches
from amp_keras.datasets import training_batches

EXAMPLES = 50


def split():
    """Each image is constant, and equal to its label."""
    labels = np.arange(EXAMPLES, dtype="int32")
    images = np.tile(labels[:, None, None, None], (1, 4, 6, 3)).astype("uint8")
    return Split(images, labels)


def random_split():
    rng = np.random.default_rng(0)
    images = rng.integers(1, 256, size=(EXAMPLES, 8, 8, 3), dtype="uint8")
    return Split(images, np.arange(EXAMPLES, dtype="int32"))


def as_list(dataset):
    return list(dataset.as_numpy_iterator())


def labels_of(dataset):
    return [labels.tolist() for _, labels in as_list(dataset)]


def test_images_stay_with_their_labels():
    for images, labels in as_list(training_batches(split(), 8, 0, steps=20)):
        assert images.shape == (8, 4, 6, 3) and images.dtype == np.float32
        np.testing.assert_array_equal(images[:, 0, 0, 0], labels)


def test_an_epoch_shows_no_example_twice_and_leaves_out_the_remainder():
    labels = labels_of(training_batches(split(), 8, 0, steps=12))
    first, second = np.ravel(labels[:6]), np.ravel(labels[6:])
    assert len(set(first)) == len(first) == 48
    assert len(set(second)) == 48
    assert first.tolist() != second.tolist()
    assert set(first) != set(second)


def test_shuffle_reaches_every_order():
    """Over many epochs each example is first about equally often."""
    batches = training_batches(split(), EXAMPLES, seed=1, steps=2000)
    first = [labels[0] for labels in labels_of(batches)]
    counts = np.bincount(first, minlength=EXAMPLES)
    assert counts.min() > 15 and counts.max() < 75


@pytest.mark.parametrize("start_step", [1, 7, 13])
def test_any_step_can_be_computed_without_those_before(start_step):
    arguments = {"seed": 3, "steps": 15, "padding": 2, "flip": True}
    whole = as_list(training_batches(random_split(), 8, **arguments))
    rest = as_list(
        training_batches(random_split(), 8, start_step=start_step, **arguments)
    )
    assert len(rest) == 15 - start_step
    for (x, y), (rest_x, rest_y) in zip(whole[start_step:], rest, strict=True):
        np.testing.assert_array_equal(x, rest_x)
        np.testing.assert_array_equal(y, rest_y)


def test_another_seed_is_another_order():
    a = labels_of(training_batches(split(), 8, seed=0, steps=6))
    b = labels_of(training_batches(split(), 8, seed=1, steps=6))
    assert a != b


def test_crop_is_a_window_of_the_padded_image():
    data, offsets = random_split(), set()
    padded = np.pad(data.images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    for images, labels in as_list(
        training_batches(data, 10, 0, steps=20, padding=2)
    ):
        for image, label in zip(images, labels, strict=True):
            matches = [
                (i, j)
                for i in range(5)
                for j in range(5)
                if np.array_equal(padded[label, i : i + 8, j : j + 8], image)
            ]
            assert len(matches) == 1
            offsets.update(matches)
    assert len(offsets) == 25


def test_flip_mirrors_about_half_of_the_images_from_left_to_right():
    data, mirrored = random_split(), []
    for images, labels in as_list(
        training_batches(data, 10, 0, steps=40, flip=True)
    ):
        for image, label in zip(images, labels, strict=True):
            original = data.images[label]
            mirrored.append(np.array_equal(image, original[:, ::-1]))
            assert mirrored[-1] or np.array_equal(image, original)
    assert 150 < sum(mirrored) < 250


@pytest.mark.parametrize("count", [2, 4])
def test_shards_of_a_batch_make_up_the_batch(count):
    def training(shard=(0, 1)):
        arguments = {"seed": 3, "steps": 9, "padding": 2, "flip": True}
        return training_batches(random_split(), 8, shard=shard, **arguments)

    def evaluation(shard=(0, 1)):
        return evaluation_batches(random_split().take(slice(48)), 40, shard)

    for batches in (training, evaluation):
        shards = [as_list(batches((i, count))) for i in range(count)]
        for parts, (x, y) in zip(zip(*shards), as_list(batches()), strict=True):
            images, labels = zip(*parts)
            assert {len(part) for part in labels} == {len(y) // count}
            np.testing.assert_array_equal(np.concatenate(images), x)
            np.testing.assert_array_equal(np.concatenate(labels), y)


def test_batch_that_cannot_be_sharded_raises():
    with pytest.raises(ValueError, match="shards, 3. .*batch_size=8"):
        training_batches(split(), 8, 0, steps=1, shard=(0, 3))
    with pytest.raises(ValueError, match=r"shards, 4. .*len\(split\)=50"):
        evaluation_batches(split(), 8, shard=(0, 4))


@pytest.mark.parametrize("batch_size", [0, EXAMPLES + 1])
def test_impossible_batch_size_raises(batch_size):
    with pytest.raises(ValueError, match=f"50. .*batch_size={batch_size}"):
        training_batches(split(), batch_size, 0, steps=1)


def test_evaluation_shows_every_example_once_in_order():
    batches = as_list(evaluation_batches(split(), 8))
    assert [len(labels) for _, labels in batches] == [8] * 6 + [2]
    labels = np.concatenate([labels for _, labels in batches])
    np.testing.assert_array_equal(labels, np.arange(EXAMPLES))
    images = np.concatenate([images for images, _ in batches])
    np.testing.assert_array_equal(images, split().images)
