"""Images from files, as a network takes those of a dataset."""

import pathlib

import numpy as np
import PIL.Image
import PIL.ImageOps

from amp_keras.errors import AMPKerasError

SUFFIXES = (".jpeg", ".jpg", ".png")


def find(paths):
    """Returns the image files among files and in folders, at any depth.

    Args:
        paths: List of paths. Of a folder, files with other suffixes than
            `SUFFIXES` are left out.

    Returns:
        List of `pathlib.Path`, those of each folder sorted.

    Raises:
        AMPKerasError: If a path does not exist, or there is no image.
    """
    found = []
    for path in map(pathlib.Path, paths):
        if path.is_dir():
            files = sorted(f for f in path.rglob("*") if f.is_file())
            found += [f for f in files if f.suffix.lower() in SUFFIXES]
        elif path.exists():
            found.append(path)
        else:
            raise AMPKerasError(f"no such file or folder: {path}")
    if not found:
        raise AMPKerasError(
            f"no {', '.join(SUFFIXES)} among {', '.join(map(str, paths))}"
        )
    return found


def read(paths, image_shape, largest=255):
    """Reads images and gives them the shape and the range of a dataset's.

    Args:
        paths: List of paths.
        image_shape: Tuple `(height, width, channels)`, with 1 channel for gray
            or 3 for RGB. Images of another size are resized, whatever their
            proportions.
        largest: Int, the value of a white pixel. Defaults to `255`.

    Returns:
        Float32 array of shape `(images, height, width, channels)`.

    Raises:
        AMPKerasError: If a file does not hold an image; it is named.
    """
    images = [_read(path, image_shape) for path in paths]
    return np.stack(images) * np.float32(largest / 255)


def _read(path, image_shape):
    height, width, channels = image_shape
    try:
        with PIL.Image.open(path) as image:
            upright = PIL.ImageOps.exif_transpose(image)
            upright = upright.convert("L" if channels == 1 else "RGB")
    # Pillow raises errors of many kinds for damaged files.
    except Exception as error:
        raise AMPKerasError(f"{path} is not an image ({error})") from error
    if upright.size != (width, height):
        upright = upright.resize((width, height), PIL.Image.Resampling.BILINEAR)
    return np.asarray(upright, "float32").reshape(image_shape)
