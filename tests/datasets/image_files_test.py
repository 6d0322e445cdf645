import numpy as np
import PIL.Image
import pytest

from amp_keras.datasets import image_files
from amp_keras.errors import AMPKerasError


def write(path, pixels, **options):
    PIL.Image.fromarray(np.asarray(pixels, "uint8")).save(path, **options)
    return path


def test_colours_become_gray_and_gray_becomes_colours(tmp_path):
    gray = write(tmp_path / "gray.png", [[0, 100], [200, 255]])
    red = write(tmp_path / "red.png", np.full((2, 2, 3), [255, 0, 0]))
    found = image_files.read([gray, red], (2, 2, 3))
    assert found.shape == (2, 2, 2, 3)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[0, :, :, 2], [[0, 100], [200, 255]])
    np.testing.assert_array_equal(found[1, 0, 0], [255, 0, 0])
    found = image_files.read([gray, red], (2, 2, 1), largest=51)
    np.testing.assert_allclose(found[0, 1, :, 0], [40, 51])
    # ITU-R 601: red is 0.299 of white.
    np.testing.assert_allclose(found[1, 0, 0], 76 / 5, atol=0.01)


def test_other_sizes_are_resized(tmp_path):
    path = write(tmp_path / "halves.png", np.repeat([[10] * 4, [90] * 4], 4, 0))
    found = image_files.read([path], (2, 1, 1))
    assert found.shape == (1, 2, 1, 1)
    assert 10 <= found[0, 0, 0, 0] < 30
    assert 70 < found[0, 1, 0, 0] <= 90


def test_photographs_are_turned_upright(tmp_path):
    exif = PIL.Image.Exif()
    # Orientation: the upper row is the left column, from the bottom.
    exif[0x0112] = 6
    path = write(tmp_path / "turned.png", [[1, 2], [3, 4]], exif=exif)
    found = image_files.read([path], (2, 2, 1))
    np.testing.assert_array_equal(found[0, ..., 0], [[3, 1], [4, 2]])


def test_folders_give_their_images_sorted(tmp_path):
    (tmp_path / "b").mkdir()
    names = ["b/2.JPG", "b/1.png", "a.jpeg", "c.txt"]
    for name in names:
        (tmp_path / name).write_text("")
    found = image_files.find([tmp_path / "c.txt", tmp_path])
    assert [str(f.relative_to(tmp_path)) for f in found] == [
        "c.txt",
        "a.jpeg",
        "b/1.png",
        "b/2.JPG",
    ]


def test_what_is_no_image_is_named(tmp_path):
    with pytest.raises(AMPKerasError, match="no such file or folder: .*none"):
        image_files.find([tmp_path / "none"])
    with pytest.raises(AMPKerasError, match="no .jpeg, .jpg, .png among"):
        image_files.find([tmp_path])
    (tmp_path / "a.png").write_text("text")
    with pytest.raises(AMPKerasError, match="a.png is not an image"):
        image_files.read([tmp_path / "a.png"], (2, 2, 1))
