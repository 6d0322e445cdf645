"""Compares methods by training each with the same seeds, or finished runs.

```
python apps/compare.py --dataset=digits --label_noise=0.4 --methods=erm,amp
python apps/compare.py runs/*
```

It trains what is missing, so the same command goes on after an interruption,
and leaves tables, plots and a page about them.
"""

import amp_keras_commands

if __name__ == "__main__":
    amp_keras_commands.compare()
