"""The folder that an evaluation leaves behind."""

import csv
import io
import math

import numpy as np

from amp_keras.experiments import evaluation_page
from amp_keras.experiments import evaluation_plots
from amp_keras.experiments import evaluation_tables
from amp_keras.experiments.output_directory import OutputDirectory

_RESULTS = "evaluation.json"


class EvaluationDirectory(OutputDirectory):
    """Writes the files of an evaluation."""

    free = ("curvature", "landscape", "verbose")
    written = (
        _RESULTS,
        "README.md",
        *(f"{name}.csv" for name in evaluation_tables.NAMES),
        *(f"{plot.name}.png" for plot in evaluation_plots.PLOTS),
    )

    @property
    def results(self):
        """What was found so far: a dict by name of a network."""
        return (self._read_json(_RESULTS, {"networks": dict}) or {}).get(
            "networks", {}
        )

    def write_results(self, results):
        """Writes `evaluation.json`, from which all else can be made."""
        self._write_json(_RESULTS, {"networks": _plain(results)})

    def write_report(self, results):
        """Writes tables, plots and `README.md`.

        What the results do not have is not written, and removed if it is of an
        earlier evaluation.
        """
        config = self._read_json("config.json")
        results = _plain(results)
        tables = evaluation_tables.tables(results)
        for name, rows in tables.items():
            self._write_table(name, rows)
        figures = evaluation_plots.figures(results)
        for name, figure in figures.items():
            with self._writing(f"{name}.png") as new:
                figure.savefig(new, dpi=110)
        plots = [p for p in evaluation_plots.PLOTS if p.name in figures]
        self._write_text(
            "README.md",
            evaluation_page.page(
                self.path.name, config, results, tables, plots
            ),
        )

    def _write_table(self, name, rows):
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self._write_text(f"{name}.csv", text.getvalue())


def _plain(value):
    """Returns lists and floats for arrays, and `None` for NaN, as JSON has."""
    if isinstance(value, dict):
        return {key: _plain(of_key) for key, of_key in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
