import csv
import json

import keras
import numpy as np
import pytest
import tiny_runs

from amp_keras import AMPModel
from amp_keras import datasets
from amp_keras import evaluation
from amp_keras.errors import AMPKerasError
from amp_keras.experiments import evaluated_network
from amp_keras.experiments import evaluation_plots
from amp_keras.experiments.checkpoint_callback import Interrupted
from amp_keras.experiments.evaluate_networks import EvaluationOptions
from amp_keras.experiments.evaluate_networks import evaluate_networks
from amp_keras.experiments.evaluation_directory import EvaluationDirectory

SMALL = {
    "examples": 40,
    "batch_size": 25,
    "eigenvalues": 2,
    "trace_samples": 2,
    "radii": (0.1, 0.5),
    "slice_points": 3,
    "plane_points": 3,
    "verbose": 0,
}
STEPS = [
    "predictions",
    "eigenvalues",
    "trace",
    "amp",
    "gradient",
    "random",
    "line",
    "plane",
]


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Of a run with validation data, and a file that gives probabilities."""
    folder = tmp_path_factory.mktemp("networks")
    tiny_runs.write(folder / "run", validation_split=0.1)
    tiny_runs.network(activation="softmax").save(folder / "softmax.keras")
    return [
        evaluated_network.of_run(folder / "run"),
        evaluated_network.of_model_file(folder / "softmax.keras", "digits"),
    ]


def evaluate(networks, folder, should_stop=lambda: False, **options):
    directory = EvaluationDirectory(folder, {"dataset": "digits"})
    options = EvaluationOptions(**{**SMALL, **options})
    try:
        return evaluate_networks(networks, options, directory, should_stop)
    finally:
        directory.close()


@pytest.fixture(scope="module")
def evaluated(networks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated")
    return folder, evaluate(networks, folder, curvature=True, landscape=True)


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_predictions_are_those_of_the_network(evaluated):
    _, results = evaluated
    test = datasets.load("digits").test
    model = tiny_runs.network()
    logits = model.predict(test.images.astype("float32"), verbose=0)
    found = results["run"]["predictions"]
    assert found["examples"] == len(test)
    assert found["before"]["ece"] == pytest.approx(
        evaluation.expected_calibration_error(
            test.labels, logits, from_logits=True
        ),
        abs=1e-5,
    )
    assert found["before"]["accuracy"] == np.mean(
        logits.argmax(-1) == test.labels
    )
    assert found["fitted_on"] == "validation data"
    assert found["after"]["loss"] < found["before"]["loss"]


def test_logits_and_probabilities_are_told_apart(evaluated):
    """The same weights: one network gives logits, one probabilities."""
    _, results = evaluated
    logits, probabilities = results["run"], results["softmax"]
    for metric in ("accuracy", "loss", "brier", "ece"):
        assert probabilities["predictions"]["before"][metric] == (
            pytest.approx(logits["predictions"]["before"][metric], rel=1e-3)
        )
    assert "half" in probabilities["predictions"]["fitted_on"]


def test_curvature_and_landscape_are_those_of_the_library(evaluated):
    _, results = evaluated
    found = results["softmax"]
    train = datasets.load("digits").train
    chosen = np.sort(np.random.default_rng(0).permutation(len(train))[:40])
    surface = evaluation.LossSurface(
        tiny_runs.network(activation="softmax"),
        (train.images[chosen].astype("float32"), train.labels[chosen]),
        keras.losses.SparseCategoricalCrossentropy(),
    )
    eigenvalues = evaluation.eigenvalues(surface, 2)
    assert found["eigenvalues"]["values"] == pytest.approx(
        list(eigenvalues.values), rel=1e-3
    )
    assert found["trace"]["value"] == pytest.approx(
        evaluation.trace(surface, 2).value, rel=1e-3
    )
    along = evaluation.loss_against_radius(surface, [0.1, 0.5])
    np.testing.assert_allclose(found["amp"]["data"], along.data, rtol=1e-3)
    axis = [-1.0, 0.0, 1.0]
    assert found["line"]["coordinates"] == axis
    for step, dimensions in (("line", 1), ("plane", 2)):
        expected = evaluation.loss_slices(surface, axis, dimensions)
        np.testing.assert_allclose(
            found[step]["data"], expected.data["model"], rtol=1e-3
        )


def test_folder_has_tables_and_plots_of_all_of_it(evaluated):
    folder, results = evaluated
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        *EvaluationDirectory.written,
    }
    stored = json.loads((folder / "evaluation.json").read_text())
    assert stored["networks"] == results
    assert list(results["run"]) == STEPS
    rows = read_csv(folder / "metrics.csv")
    assert [(r["network"], r["scaled"]) for r in rows] == [
        ("run", "no"),
        ("run", "yes"),
        ("softmax", "no"),
        ("softmax", "yes"),
    ]
    after = results["run"]["predictions"]["after"]
    assert float(rows[1]["loss"]) == after["loss"]
    assert len(read_csv(folder / "classes.csv")) == 2 * 10
    # Three directions of two radii for each of two networks.
    assert len(read_csv(folder / "radius.csv")) == 2 * 3 * 2
    (row, _) = read_csv(folder / "curvature.csv")
    assert (
        float(row["eigenvalue_1"])
        == (results["run"]["eigenvalues"]["values"][0])
    )
    page = (folder / "README.md").read_text()
    assert "run: temperature" in page
    assert "softmax: no validation data, so each half" in page
    assert f"| {after['loss']:.4g} |" in page


def test_plots_show_the_numbers(evaluated):
    _, results = evaluated
    figures = evaluation_plots.figures(results)
    above, _, below, _ = figures["reliability"].axes
    diagram = results["run"]["predictions"]["before"]["reliability"]
    shown = above.lines[1].get_ydata()
    assert list(shown) == [a for a in diagram["accuracy"] if a is not None]
    assert list(below.patches[0].get_data().values) == diagram["weights"]
    for line, found in zip(figures["line"].axes[0].lines, results.values()):
        np.testing.assert_array_equal(line.get_ydata(), found["line"]["data"])
    shown = figures["radius"].axes[0].lines[0]
    assert list(shown.get_ydata()) == results["run"]["amp"]["data"][0]
    assert list(shown.get_xdata()) == [0.1, 0.5]
    relative = figures["radius"].axes[3].lines[0].get_xdata()
    norm = results["run"]["eigenvalues"]["weights_norm"]
    np.testing.assert_allclose(relative, np.array([0.1, 0.5]) / norm)


def test_infinite_losses_are_left_out_of_plots(evaluated):
    _, results = evaluated
    results = json.loads(json.dumps(results))
    results["run"]["plane"]["data"][0][0] = None
    results["run"]["amp"]["data"][0][1] = None
    figures = evaluation_plots.figures(results)
    assert set(figures) == {plot.name for plot in evaluation_plots.PLOTS}


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_interrupted_evaluation_goes_on(
    networks, evaluated, tmp_path, steps, capsys
):
    _, expected = evaluated
    done = iter([False] * (steps - 1) + [True])
    options = {"curvature": True, "landscape": True, "verbose": 1}
    with pytest.raises(Interrupted):
        evaluate(networks[:1], tmp_path, lambda: next(done), **options)
    assert not (tmp_path / "README.md").exists()
    capsys.readouterr()
    results = evaluate(networks[:1], tmp_path, **options)
    names = [f"run: {name}" for name in STEPS[steps:]]
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in printed if line.startswith("run: ")] == names
    assert results["run"] == expected["run"]


def test_finished_evaluation_loads_nothing_and_can_be_extended(
    networks, tmp_path, monkeypatch
):
    first = evaluate(networks[1:], tmp_path)
    assert list(first["softmax"]) == ["predictions"]
    assert not (tmp_path / "line.png").exists()
    with monkeypatch.context() as patch:
        patch.delattr(evaluated_network.EvaluatedNetwork, "load")
        assert evaluate(networks[1:], tmp_path) == first
    results = evaluate(networks[1:], tmp_path, curvature=True)
    assert list(results["softmax"]) == STEPS[:3]
    assert results["softmax"]["predictions"] == first["softmax"]["predictions"]


def test_network_of_an_amp_model_is_evaluated(tmp_path):
    model = AMPModel(tiny_runs.network(), epsilon=0.1)
    model(np.zeros((1, 8, 8, 1)))
    model.save(tmp_path / "amp.keras")
    network = evaluated_network.of_model_file(tmp_path / "amp.keras", "digits")
    loaded = network.load()
    assert not isinstance(loaded, AMPModel)
    np.testing.assert_array_equal(
        loaded.get_weights()[0], model.model.get_weights()[0]
    )


def test_outputs_that_are_not_finite_are_refused(tmp_path):
    model = tiny_runs.network()
    model.layers[-1].bias.assign(np.full(10, np.nan))
    model.save(tmp_path / "nan.keras")
    network = evaluated_network.of_model_file(tmp_path / "nan.keras", "digits")
    with pytest.raises(AMPKerasError, match="outputs are not finite"):
        evaluate([network], tmp_path / "evaluated")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"shape": (16, 16, 1)}, r"which takes \(16, 16, 1\)"),
        ({"classes": 9}, r"outputs of shape \(None, 9\)"),
    ],
)
def test_network_of_other_data_is_refused(tmp_path, arguments, message):
    inputs = keras.Input(arguments.get("shape", (8, 8, 1)))
    x = keras.layers.Flatten()(inputs)
    x = keras.layers.Dense(arguments.get("classes", 10))(x)
    keras.Model(inputs, x).save(tmp_path / "m.keras")
    network = evaluated_network.of_model_file(tmp_path / "m.keras", "digits")
    with pytest.raises(AMPKerasError, match=message):
        evaluate([network], tmp_path / "evaluated")


def test_equal_names_are_told_apart(tmp_path):
    networks = [
        evaluated_network.of_model_file(tmp_path / folder / "a.keras", "digits")
        for folder in "xyz"
    ]
    names = [n.name for n in evaluated_network.named_apart(networks)]
    assert names == ["a", "a-2", "a-3"]
