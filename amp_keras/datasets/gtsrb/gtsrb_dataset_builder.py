"""GTSRB dataset builder."""

import csv
import hashlib
import io
import re
import zipfile

import numpy as np
import tensorflow_datasets as tfds
from absl import logging
from PIL import Image

BASE_URL = (
    "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/"
)
ARCHIVES = {
    "train": "GTSRB_Final_Training_Images.zip",
    "test": "GTSRB_Final_Test_Images.zip",
    "test_labels": "GTSRB_Final_Test_GT.zip",
}
# No trusted SHA-256 is published for this archive, so that it cannot be
# listed in checksums.tsv like the other two.
TRAIN_MD5 = "f33fd80ac59bff73c82d25ab499e03a3"

ANNOTATIONS = {
    "train": r"GTSRB/Final_Training/Images/(\d{5})/GT-\1\.csv",
    "test": r"GT-final_test\.csv",
}
IMAGES = {
    "train": "GTSRB/Final_Training/Images/{ClassId:0>5}/{Filename}",
    "test": "GTSRB/Final_Test/Images/{Filename}",
}

CLASS_NAMES = [
    "speed_limit_20",
    "speed_limit_30",
    "speed_limit_50",
    "speed_limit_60",
    "speed_limit_70",
    "speed_limit_80",
    "end_of_speed_limit_80",
    "speed_limit_100",
    "speed_limit_120",
    "no_passing",
    "no_passing_for_trucks",
    "right_of_way_at_next_intersection",
    "priority_road",
    "yield",
    "stop",
    "no_vehicles",
    "no_trucks",
    "no_entry",
    "general_caution",
    "dangerous_curve_left",
    "dangerous_curve_right",
    "double_curve",
    "bumpy_road",
    "slippery_road",
    "road_narrows_on_right",
    "road_work",
    "traffic_signals",
    "pedestrians",
    "children_crossing",
    "bicycles_crossing",
    "beware_of_ice_and_snow",
    "wild_animals_crossing",
    "end_of_all_limits",
    "turn_right_ahead",
    "turn_left_ahead",
    "ahead_only",
    "go_straight_or_right",
    "go_straight_or_left",
    "keep_right",
    "keep_left",
    "roundabout",
    "end_of_no_passing",
    "end_of_no_passing_for_trucks",
]


class Builder(tfds.core.GeneratorBasedBuilder):
    """Builder of the German Traffic Sign Recognition Benchmark.

    The three official archives are read from the `manual_dir` of
    `tfds.download.DownloadConfig` if they lie there, and are downloaded
    otherwise. Archives in `manual_dir` are not checked against the official
    checksums.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Initial release."}
    # TFDS hides `manual_dir` from a builder without instructions.
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Optional: to prepare the dataset without a download, place "
        f"{', '.join(ARCHIVES.values())} of {BASE_URL} in `manual_dir`."
    )

    def _info(self):
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(
                        shape=(None, None, 3), encoding_format="png"
                    ),
                    "label": tfds.features.ClassLabel(names=CLASS_NAMES),
                    "roi": tfds.features.BBoxFeature(),
                    "track": tfds.features.Scalar(dtype=np.int32),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://benchmark.ini.rub.de/gtsrb_dataset.html",
        )

    def _split_generators(self, dl_manager):
        paths = find_manual_archives(dl_manager)
        if paths is None:
            paths = download_archives(dl_manager)
        return {
            "train": self._generate_examples(
                "train", paths["train"], paths["train"]
            ),
            "test": self._generate_examples(
                "test", paths["test"], paths["test_labels"]
            ),
        }

    def _generate_examples(self, split, images_path, annotations_path):
        with annotations_path.open("rb") as file:
            rows = read_annotations(open_archive(file), split)
        with images_path.open("rb") as file:
            archive = open_archive(file)
            warn_of_unlisted_images(archive, split, rows)
            for row in rows:
                yield make_example(archive, split, row)


def find_manual_archives(dl_manager):
    """Finds the archives that the user placed in `manual_dir`.

    Args:
        dl_manager: A `tfds.download.DownloadManager`.

    Returns:
        A dictionary of paths with the keys of `ARCHIVES`, or `None` if
        `manual_dir` holds none of the archives.

    Raises:
        FileNotFoundError: If `manual_dir` holds only some of the archives.
    """
    try:
        folder = dl_manager.manual_dir
    except AssertionError:  # Raised by TFDS if it is absent or empty.
        return None
    paths = {key: folder / name for key, name in ARCHIVES.items()}
    missing = [path.name for path in paths.values() if not path.exists()]
    if len(missing) == len(paths):
        return None
    if missing:
        raise FileNotFoundError(
            f"{folder} holds only some of the archives of GTSRB. "
            f"Missing: {', '.join(missing)}."
        )
    return paths


def download_archives(dl_manager):
    """Downloads the official archives.

    Args:
        dl_manager: A `tfds.download.DownloadManager`.

    Returns:
        A dictionary of paths with the keys of `ARCHIVES`.
    """
    paths = dl_manager.download(
        {key: BASE_URL + name for key, name in ARCHIVES.items()}
    )
    check_md5(paths["train"], TRAIN_MD5)
    return paths


def check_md5(path, expected):
    """Checks the MD5 of a downloaded file.

    Args:
        path: Path of the file.
        expected: The MD5 as a hexadecimal string.

    Raises:
        tfds.download.DownloadError: If the file has another MD5.
    """
    with path.open("rb") as file:
        md5 = hashlib.file_digest(file, "md5").hexdigest()
    if md5 != expected:
        raise tfds.download.DownloadError(
            f"{path} has the MD5 {md5}, but {expected} was expected. "
            "Delete the file to download it again."
        )


def read_annotations(archive, split):
    """Reads the annotations of all images of a split.

    Args:
        archive: A `zipfile.ZipFile` with the annotations.
        split: `"train"` or `"test"`.

    Returns:
        A list with a dictionary for each image, which maps the names of the
        columns to strings.

    Raises:
        ValueError: If the archive holds no annotations of the split.
    """
    rows = []
    for name in archive.namelist():
        if re.fullmatch(ANNOTATIONS[split], name):
            with archive.open(name) as file:
                text = io.TextIOWrapper(file, encoding="utf-8", newline="")
                rows.extend(csv.DictReader(text, delimiter=";"))
    if not rows:
        raise ValueError(
            f"{archive.filename} holds no annotations of the {split} images."
        )
    return rows


def open_archive(file):
    """Opens an archive, of which nothing is ever extracted to disk.

    Args:
        file: A file object.

    Returns:
        A `zipfile.ZipFile`.

    Raises:
        ValueError: If it is not whole, or a name in it climbs out of it, which
            none in the official archives does.
    """
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{file.name} is not a whole zip archive.") from error
    for name in archive.namelist():
        if name.startswith("/") or ".." in name.split("/"):
            raise ValueError(
                f"{archive.filename} holds a name that leaves the archive: "
                f"{name}."
            )
    return archive


def warn_of_unlisted_images(archive, split, rows):
    """Logs a warning if the archive holds images without an annotation.

    Args:
        archive: A `zipfile.ZipFile` with the images.
        split: `"train"` or `"test"`.
        rows: The annotations of the split.
    """
    images = {name for name in archive.namelist() if name.endswith(".ppm")}
    unlisted = images - {IMAGES[split].format(**row) for row in rows}
    if unlisted:
        logging.warning(
            "Skipped %d %s images without an annotation, the first is %s.",
            len(unlisted),
            split,
            min(unlisted),
        )


def make_example(archive, split, row):
    """Makes the key and the example of one annotated image.

    Args:
        archive: A `zipfile.ZipFile` with the images.
        split: `"train"` or `"test"`.
        row: The annotation of the image.

    Returns:
        A tuple of the key and the dictionary of features.
    """
    name = IMAGES[split].format(**row)
    key, track = parse_file_name(split, row)
    image = read_image(archive, name)
    if image.size != (int(row["Width"]), int(row["Height"])):
        raise ValueError(
            f"{name} is of size {image.size}, its annotation says "
            f"{row['Width']} x {row['Height']}."
        )
    return key, {
        "image": image,
        "label": parse_label(name, row),
        "roi": make_roi(row),
        "track": track,
    }


def parse_label(name, row):
    """Parses the class of an image.

    Args:
        name: Name of the image.
        row: The annotation of the image.

    Returns:
        Int, the class.

    Raises:
        ValueError: If there is no such class.
    """
    if int(row["ClassId"]) not in range(len(CLASS_NAMES)):
        raise ValueError(
            f"ClassId must be 0 to {len(CLASS_NAMES) - 1}. "
            f"Received: {row['ClassId']} for {name}."
        )
    return int(row["ClassId"])


def parse_file_name(split, row):
    """Parses the file name of an image.

    Args:
        split: `"train"` or `"test"`.
        row: The annotation of the image.

    Returns:
        A tuple of the key of the example and the number of its track.

    Raises:
        ValueError: If the file name is not `TTTTT_FFFFF.ppm` for a training
            image (track, frame) or `NNNNN.ppm` for a test image.
    """
    layout = r"(\d{5})_\d{5}\.ppm" if split == "train" else r"\d{5}\.ppm"
    match = re.fullmatch(layout, row["Filename"])
    if match is None:
        raise ValueError(
            f"Unexpected name of a {split} image: {row['Filename']!r}."
        )
    stem = row["Filename"].removesuffix(".ppm")
    if split == "test":
        return f"test_{stem}", -1
    return f"{row['ClassId']:0>5}_{stem}", int(match[1])


def read_image(archive, name):
    """Reads an image from an archive.

    Args:
        archive: A `zipfile.ZipFile`.
        name: Name of the image in the archive.

    Returns:
        A `PIL.Image.Image` in RGB.

    Raises:
        FileNotFoundError: If the archive does not hold the image.
        ValueError: If it cannot be decoded.
    """
    try:
        content = archive.read(name)
    except KeyError:
        raise FileNotFoundError(
            f"{name} is annotated, but it is not in {archive.filename}."
        ) from None
    try:
        return Image.open(io.BytesIO(content)).convert("RGB")
    except OSError as error:
        raise ValueError(
            f"{name} in {archive.filename} cannot be decoded."
        ) from error


def make_roi(row):
    """Makes the normalized bounding box of the sign in an image.

    Args:
        row: The annotation of the image.

    Returns:
        A `tfds.features.BBox`.
    """
    width, height = int(row["Width"]), int(row["Height"])
    return tfds.features.BBox(
        ymin=int(row["Roi.Y1"]) / height,
        xmin=int(row["Roi.X1"]) / width,
        ymax=int(row["Roi.Y2"]) / height,
        xmax=int(row["Roi.X2"]) / width,
    )
