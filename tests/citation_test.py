"""What CITATION.cff says of the software."""

import pathlib
import re

import amp_keras

ROOT = pathlib.Path(__file__).parents[1]


def test_version_is_that_of_the_package():
    text = (ROOT / "CITATION.cff").read_text()
    (version,) = re.findall(r"^version: (.+)$", text, re.MULTILINE)
    assert version == amp_keras.__version__
