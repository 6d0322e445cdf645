"""A metric and a plot that are added to the lists appear everywhere."""

import contextlib
import csv
import json
import pathlib

import keras
import matplotlib.figure
import numpy as np
import pytest

from amp_keras import models
from amp_keras.cli import train
from amp_keras.comparison import run_table
from amp_keras.experiments import distribution
from amp_keras.experiments import evaluation_page
from amp_keras.experiments import evaluation_tables
from amp_keras.experiments import metrics
from amp_keras.experiments import plots
from amp_keras.experiments.classification import report
from amp_keras.experiments.config import TrainingConfig
from amp_keras.experiments.run_directory import RunDirectory
from amp_keras.experiments.train_and_evaluate import settings
from amp_keras.experiments.train_and_evaluate import train_and_evaluate
from amp_keras.search import final_runs
from amp_keras.search.directory import SearchDirectory

GOLDEN = pathlib.Path(__file__).parents[1] / "golden/run/finished"
CONFIG = TrainingConfig(
    epsilon=0.1,
    epochs=1,
    train_examples=64,
    validation_split=0.2,
    batch_size=32,
    distribution="none",
    verbose=0,
)


def tiny(input_shape, num_classes):
    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten()(inputs)
    return keras.Model(inputs, keras.layers.Dense(num_classes)(x))


def examples(labels, log_probabilities):
    assert log_probabilities.shape == (len(labels), 10)
    return len(labels) + 0.5


def points(results):
    figure = matplotlib.figure.Figure()
    figure.subplots().plot(results.history["loss"])
    return figure


@pytest.fixture(autouse=True)
def added(monkeypatch):
    monkeypatch.setitem(models._BUILDERS, "resnet20", tiny)
    metric = metrics.Metric("count", "size", "size of it", examples, ".1f")
    monkeypatch.setattr(metrics, "METRICS", (*metrics.METRICS, metric))
    plot = plots.Plot("points", "loss in points", points)
    monkeypatch.setattr(plots, "PLOTS", (*plots.PLOTS, plot))


def cells(table):
    """The cells of the only row of a Markdown table, by title."""
    columns, _, row = [line[2:-2].split(" | ") for line in table.splitlines()]
    return dict(zip(columns, row, strict=True))


def test_run_has_them(tmp_path, capsys):
    folder = tmp_path / "run"
    found = train_and_evaluate(CONFIG, folder)
    assert found == json.loads((folder / "metrics.json").read_text())
    # 360 digits are test data, and 288 of the other 1,437 validation data.
    assert (found["test_count"], found["val_count"]) == (360.5, 288.5)
    page = (folder / "README.md").read_text()
    assert "\n| size of it | 360.5 | 288.5 |\n" in page
    assert page.endswith("\n\n![loss in points](points.png)\n")
    assert (folder / "points.png").stat().st_size > 0
    train._print_results(found, folder)
    printed = capsys.readouterr().out
    assert f"test ECE {found['test_ece']:.4f}, test size 360.5, " in printed
    assert cells(run_table.table([folder]))["test_count"] == "360.5"


def test_final_runs_of_a_search_have_the_metric(tmp_path):
    devices = distribution.create("none")
    with contextlib.closing(SearchDirectory(tmp_path / "s", {})) as directory:
        rows = final_runs.run(directory, {"baseline": CONFIG}, [0], devices)
    with (tmp_path / "s/final.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["test_count"] == "360.5"
    (line,) = final_runs.summary(rows)
    assert line.endswith(", test size 360.5")


def test_evaluation_has_the_metric():
    labels = np.arange(10)
    values = np.log(np.full((10, 10), 0.1))
    found = report(labels, values, "abcdefghij", (labels, values))
    rows = evaluation_tables.tables({"run": {"predictions": found}})["metrics"]
    assert [row["count"] for row in rows] == [10.5, 10.5]
    page = evaluation_page._metrics({"metrics": rows[:1]})
    assert cells(page)["size"] == "10.5"


def test_runs_of_earlier_versions_have_a_dash(capsys):
    values = json.loads((GOLDEN / "metrics.json").read_text())
    assert "test_count" not in values
    train._print_results(values, GOLDEN)
    assert ", test size -, " in capsys.readouterr().out
    row = cells(run_table.table([GOLDEN]))
    assert row["test_count"] == "-"
    assert row["test_loss"] == f"{values['test_loss']:.4g}"
    final = {"role": "chosen", "epsilon": "0.1", "seed": "0"}
    final |= {key: str(value) for key, value in values.items()} | final
    (line,) = final_runs.summary([final])
    assert line.endswith(", test size -")
    known = {**final, "test_count": "1.0"}
    # What `final.csv` has of the first row once it has the second.
    unknown = {**final, "test_count": ""}
    (line,) = final_runs.summary([unknown, known])
    assert line.endswith(", test size -")


def test_folder_of_an_earlier_version_counts_as_finished(tmp_path):
    (tmp_path / "run").mkdir()
    with contextlib.closing(
        RunDirectory(tmp_path / "run", settings(CONFIG))
    ) as directory:
        text = (GOLDEN / "metrics.json").read_text()
        (tmp_path / "run/metrics.json").write_text(text)
        assert directory.metrics == json.loads(text)
