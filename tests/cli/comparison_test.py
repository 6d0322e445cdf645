"""The command that trains and compares methods, on tiny networks."""

import csv
import json
import shutil

import keras
import pytest
from absl.testing import flagsaver

from amp_keras import models
from amp_keras.cli import command_line
from amp_keras.cli import compare
from amp_keras.cli import train


def tiny(input_shape, num_classes):
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(4, 3, strides=4)(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes)(x))


@pytest.fixture(autouse=True)
def tiny_network(monkeypatch):
    monkeypatch.setitem(models._BUILDERS, "resnet20", tiny)


def run(*arguments):
    """Runs `python apps/compare.py ARGUMENTS` and returns its exit code."""
    argv = ["apps/compare.py", *arguments]
    with flagsaver.flagsaver():
        with pytest.raises(SystemExit) as exit:
            command_line.run(compare.main, argv, takes="FOLDER")
    return exit.value.code or 0


def small(folder, *arguments):
    return run(
        "--epochs=2",
        "--max_examples=200",
        "--batch_size=32",
        "--label_noise=0.4",
        "--validation_split=0.2",
        "--epsilon=0.5",
        f"--output_dir={folder}",
        *arguments,
    )


def rows(folder, name):
    with (folder / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def metrics(folder, name):
    return json.loads((folder / "runs" / name / "metrics.json").read_text())


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared") / "comparison"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(models._BUILDERS, "resnet20", tiny)
        assert small(folder, "--methods=erm,amp", "--seeds=2") == 0
    return folder


def test_table_has_the_means_of_the_runs(compared):
    plain, amp = rows(compared, "comparison")
    assert (plain["method"], amp["method"]) == ("erm", "amp")
    accuracies = [
        metrics(compared, f"amp-seed{seed}")["test_accuracy"] for seed in (0, 1)
    ]
    assert float(amp["test_error"]) == pytest.approx(1 - sum(accuracies) / 2)
    last = [
        metrics(compared, f"erm-seed{seed}")["last_test_loss"]
        for seed in (0, 1)
    ]
    assert float(plain["last_test_loss"]) == pytest.approx(sum(last) / 2)


def test_each_run_has_a_row(compared):
    of_runs = {(r["method"], r["seed"]): r for r in rows(compared, "runs")}
    assert len(of_runs) == 4
    for (method, seed), row in of_runs.items():
        run = metrics(compared, f"{method}-seed{seed}")
        assert float(row["test_error"]) == 1 - run["test_accuracy"]
        assert float(row["last_test_loss"]) == run["last_test_loss"]
        assert float(row["seconds"]) == run["seconds"]


def test_table_has_validation_and_temperatures(compared):
    _, amp = rows(compared, "comparison")
    found = [metrics(compared, f"amp-seed{seed}") for seed in (0, 1)]
    for name in ("val_loss", "val_accuracy", "test_brier", "test_ece_scaled"):
        mean = (found[0][name] + found[1][name]) / 2
        assert float(amp[name]) == pytest.approx(mean)
    assert float(amp["last_test_temperature"]) > 0
    page = (compared / "README.md").read_text()
    assert "| method | test Brier | test ECE | temperature |" in page
    compared_in = {row["metric"] for row in rows(compared, "differences")}
    assert {"test_brier", "last_test_brier"} <= compared_in
    assert not [name for name in compared_in if "val" in name or "temp" in name]
    assert "epsilon.png" not in page
    assert not (compared / "epsilon.png").exists()


def copied(compared, folder, epsilon, without=()):
    """Copies a run of AMP as if it had been one of another radius."""
    run = folder / "runs" / f"amp-epsilon-{epsilon}-seed0"
    shutil.copytree(compared / "runs" / "amp-seed0", run, dirs_exist_ok=True)
    for path in (run / "config.json", run / "metrics.json"):
        content = {**json.loads(path.read_text()), "epsilon": epsilon}
        for name in without:
            content.pop(name, None)
        path.write_text(json.dumps(content))


def test_three_radii_are_drawn(compared, tmp_path, monkeypatch, capsys):
    """The second time one of the runs is of an earlier version."""
    folder = tmp_path / "comparison"
    radii = (0.1, 0.2, 0.4)
    methods = ",".join(["erm", *(f"amp:epsilon={e}" for e in radii)])
    shutil.copytree(compared / "runs/erm-seed0", folder / "runs/erm-seed0")
    shutil.copy(compared / "config.json", folder)
    for epsilon in radii:
        copied(compared, folder, epsilon)
    monkeypatch.setattr(keras.Model, "fit", None)
    assert small(folder, f"--methods={methods}", "--seeds=1") == 0
    page = (folder / "README.md").read_text()
    assert "(epsilon.png)" in page and "## Calibration" in page
    assert (folder / "epsilon.png").stat().st_size > 0

    new = [
        name
        for name in metrics(compared, "amp-seed0")
        if "brier" in name or "scaled" in name or "temperature" in name
    ]
    assert len(new) == 9
    copied(compared, folder, 0.4, without=new)
    assert small(folder, f"--methods={methods}", "--seeds=1") == 0
    page = (folder / "README.md").read_text()
    assert "(epsilon.png)" in page and "Calibration" not in page
    assert "test_brier" not in rows(folder, "comparison")[0]
    assert len(rows(folder, "comparison")) == 4


def test_differences_are_paired(compared):
    of_loss = [
        row
        for row in rows(compared, "differences")
        if row["metric"] == "test_loss"
    ]
    (row,) = of_loss
    values = [
        metrics(compared, f"amp-seed{seed}")["test_loss"]
        - metrics(compared, f"erm-seed{seed}")["test_loss"]
        for seed in (0, 1)
    ]
    assert float(row["difference"]) == pytest.approx(sum(values) / 2)
    assert float(row["test_low"]) < sum(values) / 2 < float(row["test_high"])


def test_methods_see_the_same_wrong_labels(compared):
    configs = [
        json.loads((compared / "runs" / name / "config.json").read_text())
        for name in ("erm-seed1", "amp-seed1")
    ]
    assert configs[0].pop("epsilon") == 0.0
    assert configs[1].pop("epsilon") == 0.5
    assert configs[0]["seed"] == configs[1]["seed"] == 1
    for name in ("command", "revision"):
        configs = [{**c, name: None} for c in configs]
    assert configs[0] == configs[1]


def test_what_is_done_is_not_trained_again(compared, monkeypatch, capsys):
    table = (compared / "comparison.csv").read_bytes()
    monkeypatch.setattr(keras.Model, "fit", None)
    assert small(compared, "--methods=erm,amp", "--seeds=2") == 0
    assert (compared / "comparison.csv").read_bytes() == table
    assert "test error: plain training" in capsys.readouterr().out


def test_more_seeds_and_methods_are_added(compared, tmp_path, capsys):
    before = metrics(compared, "amp-seed0")
    arguments = ("--methods=erm,amp,amp:epsilon=0.1", "--seeds=2")
    assert small(compared, "--print_commands", *arguments) == 0
    printed = [
        line
        for line in capsys.readouterr().out.splitlines()
        if "apps/train.py" in line
    ]
    assert len(printed) == 2
    assert "--epsilon=0.1" in printed[0] and "--seed=1" in printed[1]
    assert "--label_noise=0.4" in printed[0]
    assert f"{compared}/runs/amp-epsilon-0.1-seed0" in printed[0]
    assert metrics(compared, "amp-seed0") == before


def test_a_printed_command_trains_the_run(tmp_path, capsys):
    folder = tmp_path / "comparison"
    arguments = ("--methods=erm", "--seeds=1")
    assert small(folder, "--print_commands", *arguments) == 0
    *_, command = capsys.readouterr().out.splitlines()
    _, _, *argv = command.split()
    with flagsaver.flagsaver(), pytest.raises(SystemExit) as exit:
        command_line.run(train.main, argv)
    assert not exit.value.code
    capsys.readouterr()
    assert small(folder, *arguments) == 0
    assert "epoch 1 of" not in capsys.readouterr().out


def test_interrupted_comparison_goes_on(compared, tmp_path, monkeypatch):
    """It stops in the third of four runs, and ends with the same table."""
    folder = tmp_path / "comparison"
    arguments = ("--methods=erm,amp", "--seeds=2")
    calls = []

    def came(self):
        calls.append(None)
        self.signal = 2
        return len(calls) == 26

    with monkeypatch.context() as patch:
        patch.setattr(compare.Interruption, "came", came)
        assert small(folder, *arguments) == 130
    assert (folder / "runs" / "amp-seed0" / "metrics.json").exists()
    assert not (folder / "comparison.csv").exists()
    assert small(folder, *arguments) == 0
    for name in ("comparison", "differences"):
        for actual, expected in zip(rows(folder, name), rows(compared, name)):
            actual.pop("seconds", None), expected.pop("seconds", None)
            assert actual == expected


def test_a_run_that_diverges_is_left_out(tmp_path, capsys):
    folder = tmp_path / "comparison"
    methods = "--methods=erm,erm:learning_rate=1e30"
    assert small(folder, methods, "--seeds=1") == 1
    captured = capsys.readouterr()
    assert "1 of 2 runs are missing" in captured.err
    assert "finite" in captured.out
    assert len(rows(folder, "comparison")) == 1


def test_nothing_is_left_if_nothing_can_be_trained(tmp_path, capsys):
    folder = tmp_path / "comparison"
    assert small(folder, "--methods=erm,amp", "--batch_size=5000") == 2
    assert "--batch_size must not exceed" in capsys.readouterr().err
    assert not folder.exists()


def commands(text):
    return [line for line in text.splitlines() if "apps/train.py" in line]


def test_values_are_chosen_with_the_first_seed_for_all(tmp_path, capsys):
    """Of commands that are printed, first those of the runs that choose."""
    folder = tmp_path / "comparison"
    methods = "--methods=gce:gce=0.5|1"
    arguments = (methods, "--seeds=2", "--tune_by=val_accuracy")
    assert small(folder, "--print_commands", *arguments) == 0
    captured = capsys.readouterr()
    printed = commands(captured.out)
    assert "give the command again" in captured.err
    names = [line.rpartition("/")[2] for line in printed]
    assert names == ["gce-gce-0.5-seed0", "gce-gce-1-seed0"]

    assert small(folder, *arguments) == 0
    accuracies = {
        q: metrics(folder, f"gce-gce-{q}-seed0")["val_accuracy"]
        for q in ("0.5", "1")
    }
    best, other = sorted(accuracies, key=lambda q: -accuracies[q])
    assert metrics(folder, f"gce-gce-{best}-seed1")
    assert not (folder / "runs" / f"gce-gce-{other}-seed1").exists()
    (row,) = rows(folder, "comparison")
    assert (row["method"], row["tuning_runs"]) == (f"gce-gce-{best}", "2")
    tried = {row["method"]: row for row in rows(folder, "tuning")}
    assert tried[f"gce-gce-{best}"]["chosen"] == "True"
    for q, accuracy in accuracies.items():
        found = float(tried[f"gce-gce-{q}"]["val_accuracy"])
        assert found == pytest.approx(accuracy)
    page = (folder / "README.md").read_text()
    assert "Each of these methods had 2 values." in page

    capsys.readouterr()
    assert small(folder, "--print_commands", *arguments) == 0
    assert commands(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either methods to train and compare"),
        (["--methods=erm", "runs/one"], "or the folders of finished runs"),
        (["--methods=erm,erm"], "each once"),
        (["--methods=emr"], "--methods must be of adaptive, "),
        (["--methods=amp:epsilom=1"], "Received: epsilom in the method 'amp'"),
        (["--methods=amp:seed=1"], "flags of training other than --seed"),
        (["--methods=amp:epsilon=-1"], "--epsilon of the method 'amp'"),
        (["--methods=amp:epsilon=1|x"], "--epsilon of the method 'amp'"),
        (["--methods=amp:epsilon=1|1", "--validation_split=0.1"], "each once"),
        (["--methods=erm,amp:epsilon=1|2"], "--validation_split must be great"),
        (["--methods=erm,amp:perturbation=random:inner_iters=2"], "no ascent"),
        (["--methods=erm,erm:optimizer=adamw:l2=0.1"], "--l2 must be 0"),
    ],
)
def test_a_wrong_line_leaves_nothing(
    arguments, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not list(tmp_path.iterdir())
