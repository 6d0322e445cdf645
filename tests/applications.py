"""One step of `AMPModel` on every family of `keras.applications`.

```
python tests/applications.py    # prints the table of docs/models.md
```

The smallest member of each family, without its published weights, on the
smallest input it takes, against brute force (`reference.py`). It is computed
in float64: in float32 the rounding errors of deep networks on tiny images grow
until nothing can be told by them.
"""

import json
import sys
import time

import every_backend
import keras
import numpy as np
import one_step
from keras import applications

BATCH, CLASSES = 8, 3
ARGUMENTS = {"epsilon": 0.05, "inner_lr": 1.0, "inner_iters": 1}
TOLERANCE = 1e-5

# The smallest member of each family and the smallest side of its images.
FAMILIES = {
    "ConvNeXt": (applications.ConvNeXtTiny, 32),
    "DenseNet": (applications.DenseNet121, 32),
    "EfficientNet": (applications.EfficientNetB0, 32),
    "EfficientNetV2": (applications.EfficientNetV2B0, 32),
    "InceptionResNetV2": (applications.InceptionResNetV2, 75),
    "InceptionV3": (applications.InceptionV3, 75),
    "MobileNet": (applications.MobileNet, 32),
    "MobileNetV2": (applications.MobileNetV2, 32),
    "MobileNetV3": (applications.MobileNetV3Small, 32),
    "NASNet": (applications.NASNetMobile, 32),
    "ResNet": (applications.ResNet50, 32),
    "ResNetV2": (applications.ResNet50V2, 32),
    "VGG": (applications.VGG16, 32),
    "Xception": (applications.Xception, 71),
}


def network(family):
    """Returns a network with float64 variables, and a batch for it."""
    build, side = FAMILIES[family]
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy("float64")
    model = build(
        weights=None,
        input_shape=(side, side, 3),
        classes=CLASSES,
        classifier_activation=None,
    )
    rng = np.random.default_rng(0)
    return model, rng.uniform(0.0, 255.0, (BATCH, side, side, 3))


def relative_difference(family):
    """Between the step's change of all variables and that of brute force."""
    floatx = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        steps = one_step.take(*network(family), norm="global", **ARGUMENTS)
    finally:
        keras.config.set_floatx(floatx)
    return steps.relative_difference()


def measure():
    for family in FAMILIES:
        start = time.monotonic()
        print(json.dumps([family, relative_difference(family)]), flush=True)
        seconds = time.monotonic() - start
        print(f"{family}: {seconds:.0f} s", file=sys.stderr, flush=True)


def differences_on(backend):
    """Returns the relative difference of each family."""
    rows = every_backend.lines(__file__, backend, JAX_ENABLE_X64="1")
    return dict(map(json.loads, rows))


def main():
    differences = {
        backend: differences_on(backend) for backend in every_backend.NAMES
    }
    print("| family | network, side |", " | ".join(differences), "|")
    print("|---|---|" + "---|" * len(differences))
    for family, (build, side) in FAMILIES.items():
        cells = [f"{rows[family]:.0e}" for rows in differences.values()]
        print(
            f"| {family} | {build.__name__}, {side} |", " | ".join(cells), "|"
        )


if __name__ == "__main__":
    measure() if sys.argv[1:] == ["measure"] else main()
