"""Lets scripts import the helpers of the tests.

```
import _tests_path  # noqa: F401
```

The underscore sorts this line before those of the helpers.
"""

import pathlib
import sys

_TESTS = pathlib.Path(__file__).parents[1] / "tests"

sys.path += [str(_TESTS / folder) for folder in (".", "cli", "experiments")]
