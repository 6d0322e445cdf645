"""Runs odd command lines on damaged files, and prints what is answered badly.

```
python scripts/fuzz_commands.py            # 1,000 lines, a few minutes
python scripts/fuzz_commands.py 5000 7     # so many, drawn by seed 7
```

`tests/cli/fuzz.py` draws them and says what is asked of an answer. The exit
code is 1 if one is bad.
"""

import json
import os
import subprocess
import sys

import _tests_path  # noqa: F401
import fuzz


def main(count=1000, seed=0):
    each = -(-int(count) // len(fuzz.COMMANDS))
    bad = 0
    for command in fuzz.COMMANDS:
        findings = _findings(command, each, seed)
        bad += len(findings)
        print(f"{command}: {each} lines, {len(findings)} answered badly")
        for finding in findings:
            print(f"    {json.dumps(finding)}", flush=True)
    return bad > 0


def _findings(command, count, seed):
    path = os.pathsep.join(sys.path)
    result = subprocess.run(
        [sys.executable, fuzz.__file__, command, str(count), str(seed)],
        env={**os.environ, "PYTHONPATH": path, "KERAS_BACKEND": "tensorflow"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in result.stdout.splitlines()]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
