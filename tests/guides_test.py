"""The guides: their pages are up to date, and what they claim holds."""

import json
import os
import pathlib
import re
import subprocess
import sys

import guides
import pytest

ROOT = pathlib.Path(__file__).parents[1]

# Runs a guide and prints one of its variables in the last line.
RUN = """
import json, runpy, sys
names = runpy.run_path(sys.argv[1], run_name="__main__")
print(json.dumps(names[sys.argv[2]]))
"""


def run(name, variable, folder):
    """Runs a guide on the active backend, as its reader would."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    # Those of conftest.py are for tests that compile more than they compute.
    environment.pop("XLA_FLAGS", None)
    output = subprocess.run(
        [sys.executable, "-c", RUN, guides.FOLDER / f"{name}.py", variable],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout
    print(output)
    assert (folder / f"{name}.png").exists()
    return json.loads(output.splitlines()[-1])


def test_there_are_guides():
    assert guides.PATHS


@pytest.mark.parametrize("path", guides.PATHS, ids=lambda path: path.stem)
def test_page_has_the_text_and_the_code_of_its_guide_in_order(path):
    """`python scripts/render_guides.py` writes the pages."""
    page = path.with_suffix(".md").read_text()
    begin = 0
    for kind, block in guides.blocks(path.read_text()):
        if kind == "code":
            block = f"```python\n{block}\n```"
        assert block in page[begin:], f"run scripts/render_guides.py: {block}"
        begin = page.index(block, begin) + len(block)
    assert page.count("```python\n") == sum(
        kind == "code" for kind, _ in guides.blocks(path.read_text())
    )
    header = guides.header(path.read_text())
    for key in ("Title", "Author", "Date created", "Description"):
        assert header[key] in page
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", page):
        assert (guides.FOLDER / picture).exists(), picture


@pytest.mark.slow
def test_amp_learns_fewer_wrong_labels_than_plain_training(tmp_path):
    errors = run("wrong_labels", "test_errors", tmp_path)
    assert errors["AMP"] < errors["plain"] / 2
    assert errors["AMP, 1/8"] < errors["plain"] / 2


@pytest.mark.slow
def test_transformer_learns_by_amp_as_well_as_plainly(tmp_path):
    """The guide claims no gain, but that AMP works there."""
    results = run("transformer_time_series", "results", tmp_path)
    assert len(results["AMP"]) == len(results["plain"]) == 3
    for runs in results.values():
        for error, nll in runs:
            assert error < 15
            assert nll < 0.5


@pytest.mark.slow
def test_amp_fits_fewer_wrong_labels_when_a_network_is_fine_tuned(tmp_path):
    results = run("fine_tuning", "results", tmp_path)
    errors = {
        name: sum(error for error, _ in runs) / len(runs)
        for name, runs in results.items()
    }
    assert errors["AMP"] < 0.75 * errors["plain"]
    assert errors["AMP"] < errors["early stopping"]
