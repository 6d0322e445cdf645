"""The folder of a comparison, which holds the folders of its runs."""

import dataclasses

from amp_keras.experiments.config import TrainingConfig
from amp_keras.experiments.output_directory import OutputDirectory


class ComparisonDirectory(OutputDirectory):
    """Writes the files of a comparison. Several processes may share it."""

    free = (
        "verbose",
        "data_dir",
        "manual_dir",
        "model_path",
        "jit_compile",
        "distribution",
    )
    defaults = dataclasses.asdict(TrainingConfig())
    written = (
        "README.md",
        "comparison.csv",
        "comparison.png",
        "cost.png",
        "differences.csv",
        "epsilon.png",
        "runs",
        "runs.csv",
        "tuning.csv",
    )

    @property
    def runs(self):
        return self.path / "runs"

    def discard_unless_used(self):
        """Removes it if no run has left anything."""
        if not self.runs.exists() or not any(self.runs.iterdir()):
            self.discard()

    def write_table(self, name, rows):
        """Writes rows, dicts of the same keys, as `NAME.csv`."""
        self._write_csv(f"{name}.csv", rows)

    def write_plot(self, name, figure):
        """Writes a matplotlib figure as `NAME.png`."""
        with self._writing(f"{name}.png") as new:
            # Long titles make legends wider than their figures.
            figure.savefig(new, dpi=110, bbox_inches="tight")

    def write_page(self, text):
        """Writes `README.md`."""
        self._write_text("README.md", text)
