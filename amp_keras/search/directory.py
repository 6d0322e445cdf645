"""The folder of a search: what it holds decides what is still to be done."""

import csv
import dataclasses
import io
import shutil

from amp_keras.errors import AMPKerasError
from amp_keras.experiments import normalization
from amp_keras.experiments.config import TrainingConfig
from amp_keras.experiments.output_directory import OutputDirectory
from amp_keras.search import plots
from amp_keras.search import trials

_CHECKPOINTS = "checkpoints"
_FINAL = "final.csv"
_KINDS = {
    "oracle.json": {"hyperparameters": dict, "ongoing_trials": dict},
    "trial.json": {"trial_id": str, "status": str, "hyperparameters": dict},
}


class SearchDirectory(OutputDirectory):
    """Writes the files of a search."""

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
        "best.json",
        _CHECKPOINTS,
        "epsilon.png",
        "errors",
        _FINAL,
        "final",
        "keras_tuner",
        "normalization",
        "tensorboard",
        "trials.csv",
    )

    @property
    def keras_tuner(self):
        return self.path / "keras_tuner"

    @property
    def oracle_file(self):
        return self.keras_tuner / "oracle.json"

    @property
    def has_ended_trials(self):
        """Whether there is something to lose; raises if a file is damaged."""
        states = [
            self._read_json(file.relative_to(self.path), _KINDS.get(file.name))
            for file in sorted(self.keras_tuner.rglob("*.json"))
        ]
        return any(s.get("status", "RUNNING") != "RUNNING" for s in states)

    def check(self):
        """Checks the files by which a search goes on, before it does.

        Raises:
            AMPKerasError: If one of them is damaged or missing.
        """
        if self.has_ended_trials and not self.oracle_file.exists():
            raise AMPKerasError(
                f"{self.oracle_file} is missing, though trials have ended: put "
                "back the file that was there, or begin anew with --overwrite"
            )
        self.read_final()

    def statistics(self, config, load):
        """Returns the mean and variance of the pixels of a run.

        They are computed once for all runs, commands and workers of the search
        that train on the same data.

        Args:
            config: `TrainingConfig` of the run.
            load: Function that returns its `ImageData`, called if need be.

        Returns:
            What `normalization.statistics` returns.
        """
        split, seed = config.validation_split, config.seed
        name = f"normalization/validation_split{split:g}-seed{seed}.json"
        known = self._read_json(name, normalization.KINDS)
        if known is None:
            known = normalization.statistics(load())
            self._write_json(name, known)
        return known

    def checkpoints(self, trial_id, seed):
        """Returns the folder of the checkpoint of a run of a trial."""
        return self.path / _CHECKPOINTS / trial_id / f"seed{seed}"

    def remove_checkpoints(self):
        """Removes those of all trials."""
        shutil.rmtree(self.path / _CHECKPOINTS, ignore_errors=True)

    def write_trials(self, rows):
        """Writes `trials.csv`."""
        with self._writing("trials.csv") as new:
            trials.write_csv(new, rows)

    def write_plot(self, rows, title):
        """Writes `epsilon.png`."""
        with self._writing("epsilon.png") as new:
            plots.draw(new, rows, title)

    def write_error(self, trial_id, message):
        """Keeps the traceback of a failed trial."""
        self._write_text(f"errors/{trial_id}.txt", message)

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

    def write_final_network(self, role, seed, network):
        """Writes `final/ROLE-seedSEED/model.keras`."""
        with self._writing(f"final/{role}-seed{seed}/model.keras") as new:
            network.save(new)

    def read_final(self):
        """Returns the rows of `final.csv`, as dicts of strings.

        Raises:
            AMPKerasError: If it is not what `add_final` writes.
        """
        file = self.path / _FINAL
        if not file.exists():
            return []
        try:
            return _read_rows(file)
        except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
            raise AMPKerasError(
                f"{file} is damaged ({error}): remove it to have the final "
                "networks trained again"
            ) from error

    def add_final(self, row):
        """Adds a row to `final.csv`."""
        rows = [*self.read_final(), row]
        text = io.StringIO()
        columns = dict.fromkeys(name for row in rows for name in row)
        writer = csv.DictWriter(text, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self._write_text(_FINAL, text.getvalue())


def _read_rows(file):
    text = file.read_text()
    rows = list(csv.DictReader(text.splitlines(), strict=True))
    for row in rows:
        int(row["seed"])
        float(row["test_loss"])
    if text and not text.endswith("\n"):
        raise ValueError("its last line does not end")
    return rows
