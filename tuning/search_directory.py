"""The folder of a search: what it holds decides what is still to be done."""

import csv
import json
import pathlib
import shutil

from run_directory import RunDirectory
from search_error import SearchError

# What may differ between the commands that share a search.
_FREE = ("verbose", "data_dir", "manual_dir", "jit_compile", "distribution")


class SearchDirectory:
    """Makes or takes up the folder of a search.

    Args:
        path: String, the folder.
        settings: Dict, what the search is made of.
        overwrite: Bool, whether an earlier search in it is removed. Defaults
            to `False`.

    Raises:
        SearchError: If it holds a search with other settings, or something
            else.
    """

    def __init__(self, path, settings, overwrite=False):
        self.path = pathlib.Path(path)
        self._settings = json.loads(json.dumps(settings))
        earlier = self._earlier()
        if earlier and overwrite:
            shutil.rmtree(self.path)
            earlier = None
        if earlier:
            self._check_same(earlier)
        else:
            RunDirectory(self.path).write_config(settings)

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
        text = json.dumps(config, indent=2) + "\n"
        (self.path / "best.json").write_text(text)

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

    def _earlier(self):
        file = self.path / "config.json"
        if not file.exists():
            return None
        try:
            content = json.loads(file.read_text())
        except json.JSONDecodeError:
            content = {}
        return content if "tuner" in content else None

    def _check_same(self, earlier):
        different = [
            f"--{name}={value} (there: {earlier.get(name)})"
            for name, value in self._settings.items()
            if name not in _FREE and earlier.get(name) != value
        ]
        if different:
            raise SearchError(
                f"{self.path} holds a search with other flags; take another "
                f"--output_dir, or --overwrite. Received: "
                f"{', '.join(different)}"
            )
