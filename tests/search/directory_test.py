"""A search's folder: what is damaged in it is named, and nothing removed."""

import json
import pathlib

import keras
import numpy as np
import pytest

from amp_keras.errors import AMPKerasError
from amp_keras.search.directory import SearchDirectory

CONFIG = {"epochs": 1}
TRIAL = {"trial_id": "0000", "status": "COMPLETED", "hyperparameters": {}}
ORACLE = {"hyperparameters": {}, "ongoing_trials": {}}
ROW = {"role": "chosen", "seed": 0, "epsilon": 0.1, "test_loss": 0.5}
ADVICE = ": put back the file that was there, or begin anew with --overwrite"


@pytest.fixture(params=["relative", "absolute"])
def directory(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parent = tmp_path if request.param == "absolute" else pathlib.Path()
    made = SearchDirectory(parent / "search", CONFIG)
    made.write_config()
    folder = made.keras_tuner / "trial_0000"
    folder.mkdir(parents=True)
    (folder / "trial.json").write_text(json.dumps(TRIAL))
    made.oracle_file.write_text(json.dumps(ORACLE))
    yield made
    made.close()


DAMAGES = {
    "": "is empty",
    '{"status":': "is not JSON (Expecting",
    "\x00\xff": "is not JSON (Expecting",
    "[]": "holds no JSON object",
    "{}": "has no `",
}


@pytest.mark.parametrize("content, fault", DAMAGES.items())
@pytest.mark.parametrize("name", ["oracle.json", "trial_0000/trial.json"])
def test_damaged_state_is_named(name, content, fault, directory):
    directory.check()
    path = directory.keras_tuner / name
    path.write_text(content)
    with pytest.raises(AMPKerasError) as error:
        directory.check()
    line = str(error.value)
    assert line.startswith(f"{path} {fault}") and line.endswith(ADVICE)
    assert path.read_text() == content


def test_folder_in_the_place_of_a_state_is_named(directory):
    directory.oracle_file.unlink()
    directory.oracle_file.mkdir()
    with pytest.raises(AMPKerasError, match="oracle.json cannot be read"):
        directory.check()


def test_trials_that_have_ended_are_not_run_again_for_want_of_a_file(
    directory,
):
    directory.oracle_file.unlink()
    with pytest.raises(AMPKerasError) as error:
        directory.check()
    assert str(error.value) == (
        f"{directory.oracle_file} is missing, though trials have ended{ADVICE}"
    )
    # Killed while its first trial began.
    path = directory.keras_tuner / "trial_0000" / "trial.json"
    path.write_text(json.dumps({**TRIAL, "status": "RUNNING"}))
    directory.check()


def test_final_rows_are_added_one_by_one(directory):
    assert directory.read_final() == []
    directory.add_final(ROW)
    directory.add_final({**ROW, "seed": 1})
    rows = directory.read_final()
    assert [row["seed"] for row in rows] == ["0", "1"]
    assert {**rows[0]} == {k: str(v) for k, v in ROW.items()}


@pytest.mark.parametrize(
    "content",
    [
        b"role,seed,epsilon,test_loss\nchosen,0,0.1",
        b"role,seed,epsilon,test_loss\nchosen,zero,0.1,0.5\n",
        b"role,seed,epsilon,test_loss\nchosen,0,0.1,0.5",
        b"\x80\x81",
        b"[1, 2]\n[3, 4]\n",
    ],
)
def test_damaged_final_table_is_named(content, directory):
    path = directory.path / "final.csv"
    path.write_bytes(content)
    with pytest.raises(AMPKerasError):
        directory.add_final(ROW)
    with pytest.raises(AMPKerasError) as error:
        directory.check()
    line = str(error.value)
    assert line.startswith(f"{path} is damaged (")
    assert line.endswith("remove it to have the final networks trained again")
    assert path.read_bytes() == content


def test_final_network_is_kept_and_loads(directory):
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    directory.write_final_network("chosen", 3, network)
    path = directory.path / "final" / "chosen-seed3" / "model.keras"
    loaded = keras.models.load_model(path)
    x = np.ones((1, 2), "float32")
    np.testing.assert_array_equal(
        loaded.predict(x, verbose=0), network.predict(x, verbose=0)
    )
