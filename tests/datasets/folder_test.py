"""Image files that the tests write."""

import numpy as np
import pytest
from PIL import Image

from amp_keras import datasets
from amp_keras.errors import AMPKerasError


def write(path, image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(image)).save(path, **options)


def gray(value, size=(4, 5)):
    return np.full(size, value, "uint8")


def classes(path, count=10, names=("a", "b"), size=(4, 5)):
    for number, name in enumerate(names):
        for i in range(count):
            write(path / name / f"{i:02}.png", gray(100 * number + i, size))


def load(path, **options):
    return datasets.load(f"folder:{path}", **options)


def fails(path, **options):
    with pytest.raises(AMPKerasError) as error:
        load(path, **options)
    message = str(error.value)
    assert message.startswith(f"folder:{path} could not be loaded: ")
    assert "\n" not in message
    return message


def test_train_and_test_are_read_in_the_order_of_the_names(tmp_path):
    classes(tmp_path / "train", 3, ("cat", "ant"))
    write(tmp_path / "test" / "cat" / "x.png", gray(77))
    data = load(tmp_path)
    assert data.class_names == ("ant", "cat")
    assert data.train.images.shape == (6, 4, 5, 1)
    assert data.train.images.dtype == np.uint8
    pixels = data.train.images[:, 0, 0, 0]
    np.testing.assert_array_equal(pixels, [100, 101, 102, 0, 1, 2])
    np.testing.assert_array_equal(data.train.labels, [0, 0, 0, 1, 1, 1])
    assert data.train.labels.dtype == np.int32
    np.testing.assert_array_equal(data.test.labels, [1])
    assert data.test.images[0, 0, 0, 0] == 77
    assert (data.padding, data.flip) == (0, False)
    assert data.pixel_range == (0, 102)
    data = load(tmp_path, padding=2, flip=True)
    assert (data.padding, data.flip) == (2, True)


def test_a_stratified_fifth_is_held_out_and_always_the_same(tmp_path):
    classes(tmp_path, 10)
    data, again = load(tmp_path), load(tmp_path)
    assert np.bincount(data.test.labels).tolist() == [2, 2]
    assert np.bincount(data.train.labels).tolist() == [8, 8]
    np.testing.assert_array_equal(data.test.images, again.test.images)
    pixels = [*data.train.images[:, 0, 0, 0], *data.test.images[:, 0, 0, 0]]
    assert sorted(pixels) == [*range(10), *range(100, 110)]


@pytest.mark.parametrize(
    "name, format, exact",
    [
        ("i.png", "PNG", True),
        ("i.JPG", "JPEG", False),
        ("i.jpeg", "JPEG", False),
        ("i.bmp", "BMP", True),
        ("i.gif", "GIF", True),
        ("i.ppm", "PPM", True),
    ],
)
def test_formats(name, format, exact, tmp_path):
    image = np.full((8, 8, 3), (200, 100, 50), "uint8")
    for label in "ab":
        write(tmp_path / "train" / label / name, image, format=format)
        write(tmp_path / "test" / label / name, image, format=format)
    images = load(tmp_path).train.images
    assert images.shape == (2, 8, 8, 3)
    error = np.abs(images.astype(int) - image).max()
    assert error == 0 if exact else error < 5


def test_one_color_image_makes_all_of_them_rgb(tmp_path):
    classes(tmp_path / "train", 2)
    write(
        tmp_path / "test" / "a" / "c.png", np.full((4, 5, 3), (1, 2, 3), "u1")
    )
    data = load(tmp_path)
    assert data.train.images.shape == (4, 4, 5, 3)
    np.testing.assert_array_equal(data.train.images[1, 0, 0], [1, 1, 1])
    np.testing.assert_array_equal(data.test.images[0, 0, 0], [1, 2, 3])


def test_sixteen_bits_become_eight(tmp_path):
    for split in ("train", "test"):
        for name in "ab":
            path = tmp_path / split / name / "x.png"
            write(path, np.full((2, 2), 0x1234, "uint16"))
    assert load(tmp_path).train.images.max() == 0x12


def test_images_of_several_sizes_need_image_size(tmp_path):
    classes(tmp_path / "train", 2)
    classes(tmp_path / "test", 1, size=(6, 6))
    message = fails(tmp_path)
    assert "`image_size` is required" in message
    assert "00.png is 5x4" in message and "00.png is 6x6" in message
    data = load(tmp_path, image_size=3)
    assert data.train.images.shape == (4, 3, 3, 1)
    np.testing.assert_array_equal(data.train.images[1], 1)
    assert data.test.images.shape == (2, 3, 3, 1)


def test_broken_files_are_named(tmp_path):
    classes(tmp_path, 10)
    whole = (tmp_path / "a" / "00.png").read_bytes()
    (tmp_path / "a" / "half.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "b" / "empty.jpg").touch()
    (tmp_path / "b" / "text.png").write_text("no image")
    (tmp_path / "b" / "z.webp").write_bytes(b"RIFF")
    message = fails(tmp_path)
    for name in ("a/half.png", "b/empty.jpg", "b/text.png", "and 1 more"):
        assert name in message
    assert "00.png" not in message


def test_what_lies_beside_images_is_left_out(tmp_path):
    classes(tmp_path, 5)
    (tmp_path / ".git").mkdir()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "a" / ".DS_Store").touch()
    (tmp_path / "a" / "GT-00000.csv").touch()
    data = load(tmp_path)
    assert len(data.train) + len(data.test) == 10


def test_folders_of_another_layout_are_refused(tmp_path):
    assert "No such file" in fails(tmp_path / "nowhere")
    assert "two classes. Received: 0" in fails(tmp_path)
    classes(tmp_path / "half" / "train", 2)
    assert "but no test" in fails(tmp_path / "half")
    classes(tmp_path / "half" / "test", 1, ("a", "new"))
    assert "Received: new" in fails(tmp_path / "half")
    classes(tmp_path / "deep", 5)
    classes(tmp_path / "deep" / "a" / "more", 1)
    assert "image files only" in fails(tmp_path / "deep")
    classes(tmp_path / "none", 5)
    (tmp_path / "none" / "c").mkdir()
    assert "none/c holds no image" in fails(tmp_path / "none")
    classes(tmp_path / "few", 1)
    assert "2 images, 1 of the smallest" in fails(tmp_path / "few")
    (tmp_path / "file").touch()
    assert "Not a directory" in fails(tmp_path / "file")
