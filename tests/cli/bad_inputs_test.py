"""Whatever is wrong with an input, the command says what and harms nothing."""

import pathlib
import re

import bad_inputs
import keras
import pytest

DOCS = pathlib.Path(__file__).parents[2] / "docs" / "failures.md"


@pytest.mark.parametrize(
    "case",
    bad_inputs.CASES,
    ids=lambda case: f"{case.arguments[-1]} {case.title}".strip(),
)
def test_bad_input_ends_with_one_clear_line(case, tmp_path):
    code, lines, before, after = bad_inputs.attempt(case, tmp_path)
    assert code == 2
    assert len(lines) == 1
    assert re.search(case.named, lines[0])
    if case not in bad_inputs.TRAINING:
        assert after == before
    assert not any(
        "model.keras" in name for name in after.keys() - before.keys()
    )
    if keras.config.backend() == "tensorflow":
        assert bad_inputs.row(case, lines[0]) in DOCS.read_text()
