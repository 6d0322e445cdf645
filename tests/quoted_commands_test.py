"""The commands that the documents and the scripts themselves quote."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "docs" / "guides").glob("*.md"),
]
SCRIPTS = [
    path
    for folder in ("apps", "benchmarks", "scripts", "tuning")
    for path in (ROOT / folder).glob("[!_]*.py")
]
# Their docstring is the header of keras.io, which has no command.
GUIDES = list((ROOT / "docs" / "guides").glob("*.py"))


def relative(path):
    return path.relative_to(ROOT).as_posix()


def quoted_files(text):
    return re.findall(r"python ((?:\w+/)*\w+\.py)\b", text)


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_document_quotes_scripts_that_are_there(path):
    for name in quoted_files(path.read_text()):
        assert ROOT / name in SCRIPTS + GUIDES, name


@pytest.mark.parametrize("path", SCRIPTS, ids=relative)
def test_script_quotes_its_own_command(path):
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert relative(path) in quoted_files(docstring)
