"""Datasets of TFDS by name, mocked."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from amp_keras import datasets
from amp_keras.datasets import tfds_reader
from amp_keras.errors import AMPKerasError


@pytest.fixture(autouse=True)
def reachable(monkeypatch):
    monkeypatch.setattr(tfds_reader, "_check_reachable", lambda url: None)


def prepare(data_dir, shape=(6, 4, 1), splits=("train", "test"), **features):
    """Prepares `tfds:tiny_images`, whose pixels and labels count up."""

    class TinyImages(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.FeaturesDict(
                    {
                        "image": tfds.features.Image(
                            shape=(None, None, shape[-1])
                        ),
                        "label": tfds.features.ClassLabel(
                            names=["even", "odd"]
                        ),
                        **features,
                    }
                ),
            )

        def _split_generators(self, dl_manager):
            return {name: self._generate_examples() for name in splits}

        def _generate_examples(self):
            for i in range(20):
                image = np.full(shape, i, "uint8")
                yield i, {"image": image, "label": i % 2}

    TinyImages.name = "tiny_images"
    TinyImages(data_dir=data_dir).download_and_prepare()
    return str(data_dir)


def load(data_dir, **options):
    return datasets.load("tfds:tiny_images", data_dir, **options)


def test_any_name_is_read_and_gray_stays_one_channel(tmp_path):
    image = tfds.features.Image(shape=(6, 4, 1))
    data = load(prepare(tmp_path, image=image))
    assert data.name == "tfds:tiny_images"
    assert data.class_names == ("even", "odd")
    for split in (data.train, data.test):
        assert split.images.shape == (20, 6, 4, 1)
        np.testing.assert_array_equal(
            split.labels, split.images[:, 0, 0, 0] % 2
        )
        assert sorted(split.images[:, 5, 3, 0]) == list(range(20))
    assert (data.padding, data.flip) == (0, False)


def test_images_that_differ_in_size_need_image_size(tmp_path):
    data_dir = prepare(tmp_path, (6, 4, 3))
    with pytest.raises(AMPKerasError, match="`image_size` is required"):
        load(data_dir)
    data = load(data_dir, image_size=8)
    assert data.train.images.shape == (20, 8, 8, 3)
    np.testing.assert_array_equal(
        data.train.labels, data.train.images[:, 7, 7, 0] % 2
    )


def test_without_a_test_split_a_fifth_is_held_out(tmp_path):
    data = load(prepare(tmp_path, splits=("train",)), image_size=2)
    assert len(data.train) == 16
    assert np.bincount(data.test.labels).tolist() == [2, 2]
    pixels = [*data.train.images[:, 0, 0, 0], *data.test.images[:, 0, 0, 0]]
    assert sorted(pixels) == list(range(20))


def test_without_a_train_split_it_is_refused(tmp_path):
    data_dir = prepare(tmp_path, splits=("validation",))
    with pytest.raises(AMPKerasError, match="Received: validation"):
        load(data_dir, image_size=2)


@pytest.mark.parametrize(
    "name, message",
    [
        ("tfds:no_such_dataset", "has no dataset no_such_dataset"),
        ("tfds:imdb_reviews", "an `image` of 8 bits and a class as `label`"),
    ],
)
def test_other_datasets_are_refused(name, message):
    with pytest.raises(AMPKerasError, match=message) as error:
        datasets.load(name)
    assert str(error.value).startswith(f"{name} could not be loaded")
