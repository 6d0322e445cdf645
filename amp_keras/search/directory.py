"""The folder of a search: what it holds decides what is still to be done."""

import csv

from amp_keras.experiments.output_directory import OutputDirectory


class SearchDirectory(OutputDirectory):
    """Writes the files of a search."""

    free = ("verbose", "data_dir", "manual_dir", "jit_compile", "distribution")
    written = (
        "best.json",
        "epsilon.png",
        "errors",
        "final.csv",
        "keras_tuner",
        "tensorboard",
        "trials.csv",
    )

    @property
    def oracle_file(self):
        return self.path / "keras_tuner" / "oracle.json"

    def write_error(self, trial_id, message):
        """Keeps the traceback of a failed trial."""
        folder = self.path / "errors"
        folder.mkdir(exist_ok=True)
        (folder / f"{trial_id}.txt").write_text(message)

    def first_error(self, trial_ids):
        """Returns the last line of the first traceback there is."""
        for trial_id in trial_ids:
            file = self.path / "errors" / f"{trial_id}.txt"
            if file.exists():
                return file.read_text().strip().splitlines()[-1]
        return "it was printed by the worker that ran the trial"

    def write_best(self, config):
        """Writes `best.json`, for `apps/train.py --config`."""
        self._write_json("best.json", config)

    def read_final(self):
        """Returns the rows of `final.csv`, as dicts of strings."""
        file = self.path / "final.csv"
        if not file.exists():
            return []
        with file.open(newline="") as lines:
            return list(csv.DictReader(lines))

    def append_final(self, row):
        """Adds a row to `final.csv`."""
        file = self.path / "final.csv"
        new = not file.exists()
        with file.open("a", newline="") as lines:
            writer = csv.DictWriter(lines, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)
