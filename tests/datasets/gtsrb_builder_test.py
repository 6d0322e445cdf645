"""Tests of the GTSRB dataset builder."""

import hashlib
import io
import pathlib
import tempfile
import unittest
from unittest import mock

import numpy as np
import tensorflow_datasets as tfds
from gtsrb_archives import TEST_ROWS
from gtsrb_archives import TRAIN_ROWS
from gtsrb_archives import make_csv
from gtsrb_archives import make_ppm
from gtsrb_archives import make_test_members
from gtsrb_archives import make_train_members
from gtsrb_archives import write_archives
from PIL import Image

from amp_keras.datasets.gtsrb import gtsrb_dataset_builder

ARCHIVES = gtsrb_dataset_builder.ARCHIVES
MODULE = gtsrb_dataset_builder.__name__
NATIVE_SAMPLE = (
    pathlib.Path(__file__).parents[3] / "shared/data/gtsrb_native_sample"
)


def prepare(folder):
    """Prepares the dataset from a manual folder, in a folder beside it."""
    data_dir = pathlib.Path(folder).parent / "data"
    builder = gtsrb_dataset_builder.Builder(data_dir=data_dir)
    config = tfds.download.DownloadConfig(manual_dir=folder)
    builder.download_and_prepare(download_config=config)
    return builder


def load(builder, split):
    return list(tfds.as_numpy(builder.as_dataset(split=split)))


def round_roi(example):
    height, width, _ = example["image"].shape
    return np.rint(example["roi"] * [height, width, height, width]).tolist()


class ManualDirTest(tfds.testing.DatasetBuilderTestCase):
    """Builds the dataset from archives in `manual_dir`."""

    DATASET_CLASS = gtsrb_dataset_builder.Builder
    SPLITS = {
        "train": len(TRAIN_ROWS),
        "test": len(TEST_ROWS),
    }

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.EXAMPLE_DIR = folder.name
        write_archives(folder.name)
        super().setUpClass()

    def setUp(self):
        super().setUp()
        patcher = mock.patch.object(
            gtsrb_dataset_builder,
            "download_archives",
            side_effect=AssertionError("Nothing is to be downloaded."),
        )
        patcher.start()
        self.addCleanup(patcher.stop)


class DownloadTest(tfds.testing.DatasetBuilderTestCase):
    """Builds the dataset from downloaded archives."""

    DATASET_CLASS = gtsrb_dataset_builder.Builder
    SPLITS = {
        "train": len(TRAIN_ROWS),
        "test": len(TEST_ROWS),
    }
    # `manual_dir` is the folder above, which holds none of the archives.
    DL_DOWNLOAD_RESULT = {
        key: f"downloads/{name}" for key, name in ARCHIVES.items()
    }
    # The SHA-256 of the training archive is not known.
    SKIP_CHECKSUMS = True

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.EXAMPLE_DIR = folder.name
        downloads = pathlib.Path(folder.name) / "downloads"
        write_archives(downloads)
        train = (downloads / ARCHIVES["train"]).read_bytes()
        cls.train_md5 = hashlib.md5(train).hexdigest()
        super().setUpClass()

    def setUp(self):
        super().setUp()
        patcher = mock.patch(f"{MODULE}.TRAIN_MD5", self.train_md5)
        patcher.start()
        self.addCleanup(patcher.stop)


class ExamplesTest(tfds.testing.TestCase):
    """Compares the examples to the archives they come from."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        manual_dir = pathlib.Path(folder.name) / "manual"
        write_archives(manual_dir)
        cls.builder = prepare(manual_dir)
        cls.train = load(cls.builder, "train")
        cls.test = load(cls.builder, "test")

    def find(self, row):
        """Finds the one example with the pixels of the row's image."""
        pixels = np.asarray(Image.open(io.BytesIO(make_ppm(row))))
        found = [
            example
            for example in self.train + self.test
            if np.array_equal(example["image"], pixels)
        ]
        self.assertLen(found, 1)
        return found[0]

    def test_images_keep_their_size_and_pixels(self):
        for row in TRAIN_ROWS + TEST_ROWS:
            self.assertEqual(
                self.find(row)["image"].shape[:2], (row[2], row[1])
            )

    def test_labels(self):
        for row in TRAIN_ROWS + TEST_ROWS:
            self.assertEqual(self.find(row)["label"], row[-1])

    def test_roi_round_trip(self):
        for row in TRAIN_ROWS + TEST_ROWS:
            x1, y1, x2, y2 = row[3:7]
            self.assertEqual(round_roi(self.find(row)), [y1, x1, y2, x2])

    def test_track_of_train_images(self):
        for row in TRAIN_ROWS:
            self.assertEqual(self.find(row)["track"], int(row[0][:5]))

    def test_track_of_test_images(self):
        self.assertEqual([example["track"] for example in self.test], [-1, -1])

    def test_supervised(self):
        dataset = self.builder.as_dataset(split="test", as_supervised=True)
        self.assertLen(dataset.element_spec, 2)

    def test_class_names(self):
        label = self.builder.info.features["label"]
        self.assertEqual(label.num_classes, 43)
        self.assertEqual(label.int2str(0), "speed_limit_20")
        self.assertEqual(label.int2str(9), "no_passing")
        self.assertEqual(label.int2str(14), "stop")
        self.assertEqual(label.int2str(28), "children_crossing")
        self.assertEqual(label.int2str(38), "keep_right")

    def test_metadata_files_are_found(self):
        self.assertIn("Traffic Sign", self.builder.info.description)
        self.assertIn("Stallkamp", self.builder.info.citation)
        self.assertIn(
            "ml.task.image-classification", self.builder.get_metadata().tags
        )
        self.assertLen(self.builder.url_infos, 2)


class KeysTest(unittest.TestCase):
    """Tests the keys of the examples."""

    def test_train_key(self):
        row = {"Filename": "00023_00005.ppm", "ClassId": "14"}
        key, _ = gtsrb_dataset_builder.parse_file_name("train", row)
        self.assertEqual(key, "00014_00023_00005")

    def test_test_key(self):
        row = {"Filename": "00000.ppm", "ClassId": "14"}
        key, _ = gtsrb_dataset_builder.parse_file_name("test", row)
        self.assertEqual(key, "test_00000")

    def test_unexpected_name(self):
        row = {"Filename": "00000.ppm", "ClassId": "14"}
        with self.assertRaisesRegex(ValueError, "train image: '00000.ppm'"):
            gtsrb_dataset_builder.parse_file_name("train", row)


class FaultsTest(tfds.testing.TestCase):
    """Tests the errors about faulty archives."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.tmp_dir) / "manual"

    def test_missing_archives(self):
        write_archives(self.folder)
        (self.folder / ARCHIVES["test"]).unlink()
        (self.folder / ARCHIVES["test_labels"]).unlink()
        message = (
            "Missing: GTSRB_Final_Test_Images.zip, GTSRB_Final_Test_GT.zip"
        )
        with self.assertRaisesRegex(FileNotFoundError, message):
            prepare(self.folder)

    def assert_downloads(self, folder):
        error = RuntimeError("download was called")
        manager = "tensorflow_datasets.download.DownloadManager.download"
        with mock.patch(manager, side_effect=error) as download:
            with self.assertRaisesRegex(RuntimeError, "download was called"):
                prepare(folder)
        urls = download.call_args.args[0].values()
        base = gtsrb_dataset_builder.BASE_URL
        self.assertEqual(set(urls), {base + name for name in ARCHIVES.values()})

    def test_download_if_manual_dir_is_absent(self):
        self.assert_downloads(self.folder)

    def test_download_if_manual_dir_holds_other_files(self):
        self.folder.mkdir()
        (self.folder / "other.zip").touch()
        self.assert_downloads(self.folder)

    def test_wrong_md5(self):
        downloads = pathlib.Path(self.tmp_dir) / "downloads"
        write_archives(downloads)
        paths = {key: downloads / name for key, name in ARCHIVES.items()}
        manager = mock.Mock()
        manager.download.return_value = paths
        message = f"{ARCHIVES['train']} has the MD5 .* f33fd80a.* expected"
        with self.assertRaisesRegex(tfds.download.DownloadError, message):
            gtsrb_dataset_builder.download_archives(manager)

    def test_train_row_without_image(self):
        members = make_train_members()
        del members["GTSRB/Final_Training/Images/00014/00023_00005.ppm"]
        write_archives(self.folder, train=members)
        message = "00014/00023_00005.ppm is annotated, but it is not in"
        with self.assertRaisesRegex(FileNotFoundError, message):
            prepare(self.folder)

    def test_test_row_without_image(self):
        write_archives(
            self.folder,
            test=make_test_members(TEST_ROWS[:1]),
        )
        message = "Images/00001.ppm is annotated, but it is not in"
        with self.assertRaisesRegex(FileNotFoundError, message):
            prepare(self.folder)

    def test_image_without_row(self):
        members = make_train_members()
        name = "GTSRB/Final_Training/Images/00014/GT-00014.csv"
        members[name] = make_csv(TRAIN_ROWS[2:3])
        write_archives(self.folder, train=members)
        message = (
            "Skipped 1 train images without an annotation, the first is "
            "GTSRB/Final_Training/Images/00014/00023_00005.ppm."
        )
        with self.assertLogs(message, level="warning"):
            builder = prepare(self.folder)
        self.assertEqual(builder.info.splits["train"].num_examples, 4)

    def test_no_annotations(self):
        write_archives(
            self.folder,
            labels={"other.csv": make_csv(TEST_ROWS)},
        )
        with self.assertRaisesRegex(ValueError, "no annotations of the test"):
            prepare(self.folder)

    def test_size_differs_from_annotation(self):
        members = make_train_members()
        name = "GTSRB/Final_Training/Images/00042/GT-00042.csv"
        members[name] = make_csv(
            [
                [
                    *TRAIN_ROWS[4][:1],
                    48,
                    *TRAIN_ROWS[4][2:],
                ]
            ]
        )
        write_archives(self.folder, train=members)
        with self.assertRaisesRegex(ValueError, r"size \(43, 47\).* 48 x 47"):
            prepare(self.folder)


@unittest.skipUnless(NATIVE_SAMPLE.exists(), f"{NATIVE_SAMPLE} is absent")
class NativeSampleTest(tfds.testing.TestCase):
    """Builds the training images of the real sample."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with tempfile.TemporaryDirectory() as folder:
            manual_dir = pathlib.Path(folder) / "manual"
            write_archives(manual_dir)
            train = (NATIVE_SAMPLE / ARCHIVES["train"]).read_bytes()
            (manual_dir / ARCHIVES["train"]).write_bytes(train)
            cls.examples = load(prepare(manual_dir), "train")

    def test_nine_images_of_each_class(self):
        labels = [example["label"] for example in self.examples]
        self.assertEqual(np.bincount(labels).tolist(), [9] * 43)

    def test_sizes_are_native(self):
        shapes = {example["image"].shape for example in self.examples}
        self.assertGreater(len(shapes), 100)

    def test_roi_leaves_a_border(self):
        borders = []
        for example in self.examples:
            height, width, _ = example["image"].shape
            y1, x1, y2, x2 = round_roi(example)
            borders.append(min(y1, x1, height - y2, width - x2))
        # The benchmark promises 5 pixels; one image has less on the right.
        self.assertEqual(sum(border < 5 for border in borders), 1)


if __name__ == "__main__":
    tfds.testing.test_main()
