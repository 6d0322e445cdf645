"""Archives of GTSRB in the official layout, made of a few noise images."""

import csv
import io
import pathlib
import zipfile

import numpy as np
from PIL import Image

from amp_keras.datasets.gtsrb.gtsrb_dataset_builder import ARCHIVES

COLUMNS = [
    "Filename",
    "Width",
    "Height",
    "Roi.X1",
    "Roi.Y1",
    "Roi.X2",
    "Roi.Y2",
    "ClassId",
]
# Native sizes differ, and one file name occurs in two classes.
TRAIN_ROWS = [
    ["00000_00000.ppm", 29, 30, 5, 6, 24, 25, 0],
    ["00001_00000.ppm", 31, 17, 5, 5, 26, 12, 0],
    ["00001_00000.ppm", 222, 193, 19, 16, 203, 176, 14],
    ["00023_00005.ppm", 15, 15, 5, 5, 10, 10, 14],
    ["00007_00001.ppm", 43, 47, 6, 5, 38, 41, 42],
]
TEST_ROWS = [
    ["00000.ppm", 53, 54, 6, 5, 48, 49, 16],
    ["00001.ppm", 42, 45, 5, 5, 36, 40, 1],
]


def make_ppm(row):
    """Makes a noise image, unique to the name and the class of the row."""
    seed = list(f"{row[0]} {row[-1]}".encode())
    shape = (row[2], row[1], 3)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, "uint8")
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "ppm")
    return file.getvalue()


def make_csv(rows):
    file = io.StringIO()
    csv.writer(file, delimiter=";").writerows([COLUMNS, *rows])
    return file.getvalue()


def make_train_members(rows=TRAIN_ROWS):
    """Makes the members of the training archive in the official layout."""
    members = {"GTSRB/Readme-Images.txt": "No image."}
    for label in sorted({row[-1] for row in rows}):
        folder = f"GTSRB/Final_Training/Images/{label:05}"
        class_rows = [row for row in rows if row[-1] == label]
        for row in class_rows:
            members[f"{folder}/{row[0]}"] = make_ppm(row)
        members[f"{folder}/GT-{label:05}.csv"] = make_csv(class_rows)
    return members


def make_test_members(rows=TEST_ROWS):
    """Makes the members of the test archive in the official layout."""
    folder = "GTSRB/Final_Test/Images"
    return {f"{folder}/{row[0]}": make_ppm(row) for row in rows}


def write_zip(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def write_archives(folder, train=None, test=None, labels=None):
    """Writes the three archives, with other members where they are given."""
    labels = labels or {
        # The official file of this name has no labels and must not be read.
        "GT-final_test.test.csv": "Filename;Width;Height\n00000.ppm;53;54\n",
        "GT-final_test.csv": make_csv(TEST_ROWS),
    }
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_zip(folder / ARCHIVES["train"], train or make_train_members())
    write_zip(folder / ARCHIVES["test"], test or make_test_members())
    write_zip(folder / ARCHIVES["test_labels"], labels)
