"""One step of `AMPModel` on every family of `keras.applications`.

```
python tests/applications.py    # prints the table of docs/models.md
```

The smallest member of each family, without its published weights, on the
smallest input it takes, against brute force (`one_step.py`). It is computed
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

CLASSES = 3
ARGUMENTS = {"inner_lr": 1.0, "inner_iters": 1, "norm": "global"}
EPSILON = 0.05
ONE_ULP = float(np.finfo("float32").eps)

# The smallest member of each family and the smallest side of its images.
FAMILIES = {
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
    "ConvNeXt": (applications.ConvNeXtTiny, 32),
}
# Depthwise convolutions in float64 are slow; ConvNeXt has no statistics of a
# batch that would need more images.
BATCH_SIZES = dict.fromkeys(FAMILIES, 8) | {"ConvNeXt": 2}


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
    return model, rng.uniform(0.0, 255.0, (BATCH_SIZES[family], side, side, 3))


def differences(family):
    """Between the changes of all variables, relative to that by brute force.

    Returns:
        A tuple: that of `AMPModel`'s step, and that of a step by brute force
        whose epsilon is larger by one unit in the last place of float32, in
        which `AMPModel` computes norms.
    """
    floatx = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        step = one_step.OneStep(*network(family))
        _, expected = step.by_brute_force(epsilon=EPSILON, **ARGUMENTS)
        _, nearby = step.by_brute_force(
            epsilon=EPSILON * (1 + ONE_ULP), **ARGUMENTS
        )
        _, actual = step.by_amp_model(epsilon=EPSILON, **ARGUMENTS)
    finally:
        keras.config.set_floatx(floatx)
    return tuple(
        step.relative_difference(expected, other) for other in (actual, nearby)
    )


def agree(difference, by_rounding):
    """Whether a difference is no more than rounding explains."""
    return difference < max(1e-6, 4 * by_rounding)


def measure():
    for family in FAMILIES:
        start = time.monotonic()
        print(json.dumps([family, differences(family)]), flush=True)
        seconds = time.monotonic() - start
        print(f"{family}: {seconds:.0f} s", file=sys.stderr, flush=True)


def differences_on(backend):
    """Returns the `differences` of each family, measured on a backend."""
    rows = every_backend.lines(
        __file__,
        backend,
        JAX_ENABLE_X64="1",
        # Compiles in seconds instead of minutes.
        XLA_FLAGS="--xla_backend_optimization_level=0",
    )
    return dict(map(json.loads, rows))


def main():
    of_backends = {name: differences_on(name) for name in every_backend.NAMES}
    print("| family | network, side |", " | ".join(of_backends), "|")
    print("|---|---|" + "---|" * len(of_backends))
    for family, (build, side) in FAMILIES.items():
        pairs = [rows[family] for rows in of_backends.values()]
        cells = [
            f"{'passes' if agree(*pair) else 'differs'}, "
            f"{pair[0]:.0e} ({pair[1]:.0e})"
            for pair in pairs
        ]
        row = [family, f"{build.__name__}, {side}", *cells]
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    measure() if sys.argv[1:] == ["measure"] else main()
