"""GTSRB through the project's builder, on archives made here."""

import io

import gtsrb_archives
import numpy as np
import pytest
from PIL import Image

from amp_keras import datasets
from amp_keras.datasets import gtsrb_32x32
from amp_keras.errors import AMPKerasError

# Width, height and region of interest, whose corners are 32 pixels apart.
BOX = [44, 42, 6, 5, 37, 36]
TRAIN_ROWS = [
    [f"{track:05}_{frame:05}.ppm", *BOX, label]
    for label in range(2)
    for track in range(4)
    for frame in range(3)
]


@pytest.fixture
def manual_dir(tmp_path):
    folder = tmp_path / "archives"
    members = gtsrb_archives.make_train_members(TRAIN_ROWS)
    gtsrb_archives.write_archives(folder, train=members)
    return folder


def sign(row):
    """What an image shows within its region of interest."""
    image = Image.open(io.BytesIO(gtsrb_archives.make_ppm(row)))
    return np.asarray(image)[5:37, 6:38]


def test_signs_are_cropped_to_their_region(tmp_path, manual_dir, capsys):
    data = datasets.load("gtsrb", str(tmp_path / "data"), str(manual_dir))
    said = capsys.readouterr().out
    assert f"Preparing gtsrb from the archives in {manual_dir}\n" in said
    assert "Downloading" not in said
    expected = {sign(row).tobytes(): row[-1] for row in TRAIN_ROWS}
    loaded = zip(data.train.images, data.train.labels, strict=True)
    assert {i.tobytes(): label for i, label in loaded} == expected
    assert data.test.images.shape == (2, 32, 32, 3)
    assert sorted(data.test.labels) == [1, 16]
    assert data.num_classes == 43 and "stop" in data.class_names
    assert not data.flip


def test_validation_holds_out_whole_tracks(tmp_path, manual_dir):
    data = datasets.load("gtsrb", str(tmp_path / "data"), str(manual_dir))
    assert len(set(data.train.groups)) == 8
    rest, held_out = datasets.hold_out(data.train, 0.25, seed=0)
    assert len(set(held_out.groups)) == 2 and len(held_out) == 6
    assert not set(rest.groups) & set(held_out.groups)


def test_archives_in_the_folder_of_tfds_need_no_flag(tmp_path, manual_dir):
    default = tmp_path / "data" / "downloads" / "manual"
    default.parent.mkdir(parents=True)
    manual_dir.rename(default)
    data = datasets.load("gtsrb", str(tmp_path / "data"))
    assert len(data.train) == 24


def test_missing_archive_is_named(tmp_path, manual_dir):
    (manual_dir / "GTSRB_Final_Test_GT.zip").unlink()
    with pytest.raises(AMPKerasError, match="Missing: GTSRB_Final_Test_GT.zip"):
        datasets.load("gtsrb", str(tmp_path / "data"), str(manual_dir))


def test_folder_without_archives_is_named(tmp_path):
    with pytest.raises(AMPKerasError) as error:
        datasets.load("gtsrb", str(tmp_path / "data"), str(tmp_path))
    message = f"{tmp_path} holds none of GTSRB_Final_Training_Images.zip"
    assert message in str(error.value)


def test_signs_of_another_size_are_resized_without_their_border():
    image = np.zeros((50, 60, 3), "uint8")
    image[10:31, 20:51] = (200, 100, 50)
    roi = np.array([10 / 50, 20 / 60, 30 / 50, 50 / 60], "float32")
    example = {"image": image, "roi": roi, "label": 0, "track": 0}
    result = gtsrb_32x32._example(example)["image"]
    assert result.shape == (32, 32, 3)
    assert np.all(result == np.array([200, 100, 50]))
