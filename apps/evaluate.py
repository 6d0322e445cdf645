"""Evaluates trained networks: errors, calibration, curvature, landscape.

```
python apps/evaluate.py --run=runs/amp
python apps/evaluate.py --run=runs/erm,runs/amp --curvature --landscape
python apps/evaluate.py --model_file=network.keras --dataset=cifar10
```

Several networks are evaluated side by side, on the same axes. The last one may
be any Keras classifier that takes raw pixels. It leaves a folder with
`evaluation.json`, tables, plots and a page about them. What was interrupted
goes on when the same command is given again.
"""

import amp_keras_commands

if __name__ == "__main__":
    amp_keras_commands.evaluate()
