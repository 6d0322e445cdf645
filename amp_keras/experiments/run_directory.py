"""The folder that a run leaves behind."""

import csv
import dataclasses
import io
import pathlib

import numpy as np

from amp_keras.experiments import plots
from amp_keras.experiments import report
from amp_keras.experiments.checkpoints import Checkpoints
from amp_keras.experiments.config import TrainingConfig
from amp_keras.experiments.output_directory import OutputDirectory

_METRICS = "metrics.json"
_PREDICTIONS = "test_predictions.csv"
# Those of every version: a metric that is added leaves earlier runs readable.
_REQUIRED = ("test_accuracy", "test_loss", "test_ece", "seconds")


class RunDirectory(OutputDirectory):
    """Writes the files of a run."""

    free = (
        "data_dir",
        "epsilon_origin",
        "manual_dir",
        "model_path",
        "verbose",
    )
    defaults = dataclasses.asdict(TrainingConfig())
    written = (
        _METRICS,
        "README.md",
        "checkpoints",
        "history.csv",
        "model.keras",
        _PREDICTIONS,
        "tensorboard",
        *(f"{plot.name}.png" for plot in plots.PLOTS),
    )

    @property
    def checkpoints(self):
        return Checkpoints(self.path / "checkpoints")

    @property
    def tensorboard(self):
        return self.path / "tensorboard"

    @property
    def metrics(self):
        """The metrics of a run that has finished, or `None`."""
        return self._read_json(_METRICS, dict.fromkeys(_REQUIRED, (int, float)))

    def _remove_leftovers(self):
        super()._remove_leftovers()
        if self.metrics:
            self.checkpoints.remove()

    def write_history(self, history):
        """Writes `history.csv`: a line for each epoch."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["epoch", *history])
        rows = zip(*history.values(), strict=True)
        writer.writerows([epoch, *row] for epoch, row in enumerate(rows))
        self._write_text("history.csv", text.getvalue())

    def write_model(self, network):
        """Writes `model.keras`, the plain network, and returns its path."""
        with self._writing("model.keras") as new:
            network.save(new)
        return self.path / "model.keras"

    def write_plot(self, name, figure):
        """Writes a matplotlib figure as `NAME.png`."""
        figure.suptitle(plots.literal(self.path.name))
        with self._writing(f"{name}.png") as new:
            figure.savefig(new, dpi=110)

    def write_predictions(self, labels, log_probabilities):
        """Writes `test_predictions.csv`: a line for each test example."""
        losses = -log_probabilities[np.arange(len(labels)), labels]
        columns = (labels, log_probabilities.argmax(-1), losses)
        self._write_csv(
            _PREDICTIONS,
            [
                {"label": label, "predicted": predicted, "loss": f"{loss:.6g}"}
                for label, predicted, loss in zip(*columns)
            ],
        )

    def write_page(self, metrics):
        """Writes `README.md`, what a person would want to know of the run."""
        config = self._read_json("config.json")
        self._write_text(
            "README.md", report.page(self.path.name, config, metrics)
        )

    def finish(self, metrics):
        """Writes `metrics.json`, which says that the run has finished."""
        self._write_json(_METRICS, metrics)
        self.checkpoints.remove()


def read_history(path):
    """Returns the logs of the epochs of a run, a dict of lists of floats."""
    with (pathlib.Path(path) / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


def read_predictions(path):
    """Returns what became of each test example.

    Args:
        path: Path, the folder of a finished run.

    Returns:
        Dict of float arrays of shape `(examples,)`: `test_error`, 0 or 1, and
        `test_loss`; `None` for a run of an early version, which has kept none.
    """
    file = pathlib.Path(path) / _PREDICTIONS
    if not file.exists():
        return None
    values = np.loadtxt(file, delimiter=",", skiprows=1, ndmin=2)
    label, predicted, loss = values.T
    return {"test_error": (label != predicted) * 1.0, "test_loss": loss}
