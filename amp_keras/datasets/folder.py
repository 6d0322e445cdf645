"""Image files in folders, one folder for each class."""

import pathlib

import numpy as np
from PIL import Image
from PIL import ImageOps

from amp_keras.datasets.hold_out import hold_out_test
from amp_keras.datasets.image_data import ImageData
from amp_keras.datasets.image_data import Split
from amp_keras.errors import AMPKerasError

PREFIX = "folder:"

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM")
# What lies beside images: not read, and no mistake.
_OTHER_FILES = (".csv", ".db", ".ini", ".json", ".md", ".txt", ".xml")
_GRAYSCALE = ("1", "L", "LA")
_NAMED_FILES = 3


def load(name, data_dir=None, manual_dir=None, image_size=None):
    """Loads image files: PNG, JPEG, BMP, GIF (the first frame) and PPM.

    The folder has the subfolders `train` and `test`, and these one for each
    class; or it has one for each class itself, and a stratified fifth of the
    images is held out for testing, always the same. Classes are numbered by
    their names in alphabetical order. If all images are grayscale they have
    one channel, and three otherwise. Training images are neither cropped nor
    mirrored unless `ImageData.padding` and `flip` are set.

    Args:
        name: String, `"folder:PATH"`.
        data_dir: Ignored.
        manual_dir: Ignored.
        image_size: Int, the side in pixels to which images are resized.
            Defaults to `None`: they stay as they are, all of one size.

    Returns:
        An `ImageData`.

    Raises:
        AMPKerasError: If there is no such folder, it is not laid out like this,
            or holds files that are broken; or if the images differ in size and
            there is no `image_size`.
    """
    path = pathlib.Path(name.removeprefix(PREFIX)).expanduser()
    try:
        train, test, class_names = _load(path, image_size)
    except OSError as error:
        raise AMPKerasError(
            f"{name} could not be loaded: {error.filename}: {error.strerror}"
        ) from error
    except AMPKerasError as error:
        raise AMPKerasError(f"{name} could not be loaded: {error}") from error
    return ImageData(name, class_names, train, test, padding=0, flip=False)


def _load(path, image_size):
    has_train, has_test = ((path / n).is_dir() for n in ("train", "test"))
    if has_train != has_test:
        missing = "test" if has_train else "train"
        raise AMPKerasError(
            f"it has one of the subfolders train and test, but no {missing}; "
            "of a folder that has one for each class itself, a part is held "
            "out for testing"
        )
    train_path = path / "train" if has_train else path
    class_names = _class_names(train_path)
    files, labels = _files(train_path, class_names)
    num_train = len(files)
    if has_test:
        _check_known(path / "test", class_names)
        test_files, test_labels = _files(path / "test", class_names)
        files, labels = files + test_files, labels + test_labels
    # Read together: they have one size and one number of channels.
    everything = Split(_read(files, image_size), np.array(labels, "int32"))
    if has_test:
        order = np.arange(len(everything))
        train = everything.take(order[:num_train])
        test = everything.take(order[num_train:])
    else:
        train, test = hold_out_test(everything)
    return train, test, class_names


def _class_names(path):
    names = _folders(path)
    if len(names) < 2:
        raise AMPKerasError(
            f"{path} must have a subfolder for each of at least two classes. "
            f"Received: {len(names)} subfolders"
        )
    for name in names:
        if not name.isprintable():
            raise AMPKerasError(
                "the name of a class must be printable text. "
                f"Received: {name!r}"
            )
    return names


def _folders(path):
    return tuple(sorted(f.name for f in _visible(path) if f.is_dir()))


def _check_known(path, class_names):
    for name in _folders(path):
        if name not in class_names:
            raise AMPKerasError(
                f"{path} has a class that the training data has not. "
                f"Received: {name}"
            )


def _files(path, class_names):
    """Returns the image files of all classes, and the label of each."""
    if not _folders(path):
        raise AMPKerasError(f"{path} has no subfolder for a class")
    files, labels = [], []
    for label, name in enumerate(class_names):
        own = _image_files(path / name) if (path / name).is_dir() else []
        files += own
        labels += [label] * len(own)
    return files, labels


def _image_files(path):
    files = []
    for file in sorted(_visible(path)):
        if file.is_dir():
            raise AMPKerasError(
                "the folder of a class must hold image files only. "
                f"Received: the folder {file}"
            )
        if file.suffix.lower() not in _OTHER_FILES:
            files.append(file)
    if not files:
        raise AMPKerasError(
            f"{path} holds no image; {', '.join(_FORMATS)} are read"
        )
    return files


def _visible(path):
    return [file for file in path.iterdir() if not file.name.startswith(".")]


def _read(files, image_size):
    """Returns the images as one array."""
    arrays, broken = [], []
    for file in files:
        try:
            arrays.append(_decode(file, image_size))
        # Each decoder of Pillow has errors of its own.
        except Exception as error:
            broken.append(f"{file} ({' '.join(str(error).split())})")
    if broken:
        more = len(broken) - _NAMED_FILES
        raise AMPKerasError(
            f"files must be images ({', '.join(_FORMATS)}) that are whole. "
            f"Received: {', '.join(broken[:_NAMED_FILES])}"
            f"{f' and {more} more' if more > 0 else ''}"
        )
    _check_sizes(files, arrays)
    if any(array.shape[-1] == 3 for array in arrays):
        arrays = [np.broadcast_to(a, (*a.shape[:2], 3)) for a in arrays]
    return np.stack(arrays)


def _decode(file, image_size):
    with Image.open(file, formats=_FORMATS) as image:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I"):
            # 16 bits a pixel.
            image = Image.fromarray((np.asarray(image) >> 8).astype("uint8"))
        image = image.convert("L" if image.mode in _GRAYSCALE else "RGB")
        if image_size:
            size = (image_size, image_size)
            image = image.resize(size, Image.Resampling.BILINEAR)
        array = np.asarray(image)
    return array[..., np.newaxis] if array.ndim == 2 else array


def _check_sizes(files, arrays):
    for file, array in zip(files, arrays):
        if array.shape[:2] != arrays[0].shape[:2]:
            sizes = [
                f"{name} is {a.shape[1]}x{a.shape[0]}"
                for name, a in ((files[0], arrays[0]), (file, array))
            ]
            raise AMPKerasError(
                "its images differ in size: `image_size` is required. "
                f"Received: image_size=None, {', '.join(sizes)}"
            )
