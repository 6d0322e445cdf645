"""A run's folder: what is damaged in it is named, and nothing is removed."""

import dataclasses
import json

import filelock
import pytest

from amp_keras.errors import AMPKerasError
from amp_keras.experiments.config import TrainingConfig
from amp_keras.experiments.run_directory import RunDirectory

CONFIG = dataclasses.asdict(TrainingConfig(epsilon=0.1))
METRICS = {
    "test_accuracy": 0.5,
    "test_loss": 1.0,
    "test_ece": 0.1,
    "seconds": 3.0,
}
ADVICE = ": put back the file that was there, or begin anew with --overwrite"


def empty(path):
    path.write_bytes(b"")


def truncated(path):
    path.write_bytes(path.read_bytes()[:-3])


def binary(path):
    path.write_bytes(bytes(range(256)))


def nested(path):
    path.write_text("[" * 100_000)


def a_list(path):
    path.write_text("[1, 2]")


def a_folder(path):
    path.unlink()
    path.mkdir()


DAMAGES = {
    empty: "is empty",
    truncated: "is not JSON (Expecting",
    binary: "is not JSON (UnicodeDecodeError)",
    nested: "is not JSON (RecursionError)",
    a_list: "holds no JSON object",
    a_folder: "cannot be read (Is a directory)",
}


def without(*keys):
    def remove(path):
        content = json.loads(path.read_text())
        for key in keys:
            del content[key]
        path.write_text(json.dumps(content))

    return remove


def wrong(key):
    def change(path):
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, key: None}))

    return change


CASES = [
    *(
        (name, d, m)
        for name in ("config.json", "metrics.json")
        for d, m in DAMAGES.items()
    ),
    ("config.json", without("versions"), "has no `versions`, or a wrong one"),
    ("config.json", without("command"), "has no `command`, or a wrong one"),
    ("config.json", wrong("versions"), "has no `versions`, or a wrong one"),
    ("metrics.json", without("test_ece"), "has no `test_ece`, or a wrong one"),
    ("metrics.json", wrong("seconds"), "has no `seconds`, or a wrong one"),
]


@pytest.fixture
def run(tmp_path):
    """The folder of a run that was killed after `metrics.json`."""
    directory = RunDirectory(tmp_path / "run", CONFIG)
    directory.write_config()
    directory.write_history({"loss": [1.0]})
    directory.checkpoints.save(1, {}, {})
    directory._write_json("metrics.json", METRICS)
    directory.close()
    return directory.path


def contents(folder):
    return {
        path: path.is_file() and path.read_bytes() for path in folder.rglob("*")
    }


@pytest.mark.parametrize("name, damage, message", CASES)
def test_damaged_file_is_named_and_nothing_removed(name, damage, message, run):
    damage(run / name)
    before = contents(run)
    with pytest.raises(AMPKerasError) as error:
        RunDirectory(run, CONFIG)
    line = str(error.value)
    assert line.startswith(f"{run / name} {message}")
    assert line.endswith(ADVICE) and "\n" not in line
    assert contents(run) == before
    if name == "config.json":
        with pytest.raises(AMPKerasError, match=name):
            RunDirectory.first_free(run, CONFIG)


@pytest.mark.parametrize("damage", DAMAGES)
def test_overwrite_is_a_way_out(damage, run):
    damage(run / "config.json")
    directory = RunDirectory(run, CONFIG, overwrite=True)
    assert not (run / "metrics.json").exists()
    assert not directory.checkpoints.exist()
    directory.write_config()
    directory.close()
    RunDirectory(run, CONFIG).close()


def test_file_that_cannot_be_written_is_named(run):
    (run / "history.csv").unlink()
    (run / "history.csv").mkdir()
    directory = RunDirectory(run, CONFIG)
    with pytest.raises(AMPKerasError) as error:
        directory.write_history({"loss": [1.0]})
    assert str(error.value) == (
        f"{run / 'history.csv'} cannot be written (Is a directory); when it "
        "can be, the same command goes on"
    )
    assert not list(run.glob(".new-*"))


def test_what_a_killed_run_left_behind_is_removed(run):
    (run / ".new-curves.png").touch()
    (run / "checkpoints" / ".new-step-2.checkpoint").touch()
    (run / ".new-thoughts").touch()  # Somebody else's.
    (run / ".lock").touch()
    RunDirectory(run, CONFIG).close()
    assert sorted(path.name for path in run.iterdir()) == [
        ".new-thoughts",
        "config.json",
        "history.csv",
        "metrics.json",
    ]


def test_checkpoints_of_a_run_that_goes_on_stay(run):
    (run / "metrics.json").unlink()
    (run / "checkpoints" / ".new-step-2.checkpoint").touch()
    RunDirectory(run, CONFIG).close()
    names = [path.name for path in (run / "checkpoints").iterdir()]
    assert names == ["step-1.checkpoint"]


def killed_while_it_began(folder):
    folder.mkdir()
    (folder / ".lock").touch()
    (folder / ".new-config.json").write_text("{")


def test_folder_of_a_run_killed_while_it_began_is_used_again(tmp_path):
    killed_while_it_began(tmp_path / "run")
    assert RunDirectory.first_free(tmp_path / "run", CONFIG).name == "run"
    directory = RunDirectory(tmp_path / "run", CONFIG)
    directory.write_config()
    directory.close()
    names = [path.name for path in (tmp_path / "run").iterdir()]
    assert names == ["config.json"]


def test_folder_in_which_another_process_begins_is_not_free(tmp_path):
    killed_while_it_began(tmp_path / "run")
    with filelock.FileLock(tmp_path / "run" / ".lock"):
        free = RunDirectory.first_free(tmp_path / "run", CONFIG)
    assert free.name == "run-2"


def test_file_in_the_place_of_the_folder_is_passed_over(tmp_path):
    (tmp_path / "run").touch()
    assert RunDirectory.first_free(tmp_path / "run", CONFIG).name == "run-2"


def test_discard_leaves_what_an_earlier_command_left(run):
    (run / "metrics.json").unlink()
    before = contents(run)
    RunDirectory(run, CONFIG).discard()
    assert contents(run) == before


def test_discard_removes_what_this_command_left(tmp_path):
    directory = RunDirectory(tmp_path / "run", CONFIG)
    directory.write_config()
    directory.write_history({"loss": [1.0]})
    directory.discard()
    assert not (tmp_path / "run").exists()


def test_flag_that_an_earlier_version_had_not_has_its_default(run):
    without("mixup")(run / "config.json")
    RunDirectory(run, CONFIG).close()
    with pytest.raises(AMPKerasError, match="--mixup is 0.0, not 0.3"):
        RunDirectory(run, {**CONFIG, "mixup": 0.3})


def test_discard_removes_new_folders_above_that_are_empty(tmp_path):
    directory = RunDirectory(tmp_path / "new" / "runs" / "run", CONFIG)
    directory.write_config()
    directory.discard()
    assert not list(tmp_path.iterdir())
