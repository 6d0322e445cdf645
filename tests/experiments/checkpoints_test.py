"""Checkpoints as files: whatever happens to one, nothing of it is used."""

import errno
import json
import random
import zipfile

import numpy as np
import pytest

from amp_keras.errors import AMPKerasError
from amp_keras.experiments import checkpoints as checkpoints_module
from amp_keras.experiments.checkpoints import Checkpoints

FLIPS = 200


def arrays(step):
    """Of several types, one of them empty."""
    return {
        "network/dense/0": np.full((3, 4), step, "float32"),
        "network/dense/1": np.arange(4, dtype="uint32"),
        "optimizer/0": np.array(step, "int64"),
        "metrics/mean/0": np.zeros((0,), "float32"),
    }


@pytest.fixture
def kept(tmp_path):
    """Checkpoints of the steps 3 and 4."""
    checkpoints = Checkpoints(tmp_path / "c")
    for step in (3, 4):
        checkpoints.save(step, arrays(step), {"step": step, "history": {}})
    return checkpoints


def loaded_step(kept, report=lambda text: None):
    found, progress = kept.load_latest(report)
    expected = arrays(progress["step"])
    assert found.keys() == expected.keys()
    for address, array in expected.items():
        np.testing.assert_array_equal(found[address], array)
        assert found[address].dtype == array.dtype
    assert progress == {"step": progress["step"], "history": {}}
    return progress["step"]


def test_latest_is_read_and_two_are_kept(kept):
    assert loaded_step(kept) == 4
    kept.save(5, arrays(5), {"step": 5, "history": {}})
    names = [path.name for path in kept.paths()]
    assert names == ["step-5.checkpoint", "step-4.checkpoint"]
    assert loaded_step(Checkpoints(kept.folder)) == 5


def test_after_any_flip_of_a_bit_the_one_before_is_used(kept):
    """Half of the flips in the first 200 bytes: digest, format, zip header."""
    path = kept.folder / "step-4.checkpoint"
    whole = path.read_bytes()
    rng = random.Random(0)
    for number in range(FLIPS):
        end = 200 if number % 2 else len(whole)
        content = bytearray(whole)
        content[rng.randrange(end)] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        reports = []
        assert loaded_step(kept, reports.append) == 3
        assert reports == [
            f"{path} is damaged (its SHA-256 digest is another one): "
            "the one before it counts"
        ]
    path.write_bytes(whole)
    assert loaded_step(kept) == 4


def empty(path):
    path.write_bytes(b"")


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path):
    path.write_bytes(path.read_bytes() + b"\0")


def text(path):
    path.write_text("not a checkpoint")


def array(path):
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))


def archive(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("progress.npy", b"")


def folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "damage", [empty, cut, lengthen, text, array, archive, folder]
)
def test_anything_else_under_the_name_is_passed_over(damage, kept):
    damage(kept.folder / "step-4.checkpoint")
    reports = []
    assert loaded_step(kept, reports.append) == 3
    assert len(reports) == 1 and "step-4.checkpoint is damaged" in reports[0]


def test_damaged_one_does_not_take_the_place_of_a_whole_one(kept):
    cut(kept.folder / "step-4.checkpoint")
    assert loaded_step(kept) == 3
    kept.save(5, arrays(5), {"step": 5, "history": {}})
    names = [path.name for path in kept.paths()]
    assert names == ["step-5.checkpoint", "step-3.checkpoint"]


def test_without_a_whole_one_there_is_none(kept):
    for path in kept.paths():
        cut(path)
    assert kept.load_latest(lambda text: None) is None


def test_whole_one_of_a_later_format_is_refused(kept, monkeypatch):
    monkeypatch.setattr(checkpoints_module, "_FORMAT", b"format 3\n")
    kept.save(5, arrays(5), {"step": 5, "history": {}})
    monkeypatch.undo()
    with pytest.raises(AMPKerasError) as error:
        kept.load_latest()
    assert "step-5.checkpoint was written by another version" in str(
        error.value
    )


def test_folder_of_the_first_format_is_refused(tmp_path):
    path = tmp_path / "step-4.npz"
    progress = np.frombuffer(json.dumps({"step": 4}).encode(), "u1")
    np.savez(path, array_0=np.zeros(3), progress=progress)
    kept = Checkpoints(tmp_path)
    assert kept.exist()
    with pytest.raises(AMPKerasError) as error:
        kept.load_latest()
    assert str(error.value) == (
        f"{path} was written by another version of amp_keras: go on with the "
        "version that config.json names, or begin anew with --overwrite"
    )


def test_full_disk_leaves_those_before(kept, monkeypatch):
    before = {p: p.read_bytes() for p in kept.folder.iterdir()}

    def fill(file, **arrays):
        file.write(b"part")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints_module.np, "savez", fill)
    with pytest.raises(AMPKerasError) as error:
        kept.save(5, arrays(5), {"step": 5, "history": {}})
    assert str(error.value) == (
        f"the checkpoint {kept.folder / 'step-5.checkpoint'} cannot be written "
        "(No space left on device); those before it are kept"
    )
    assert before == {p: p.read_bytes() for p in kept.folder.iterdir()}
