"""One step of `AMPModel` on every family of `keras.applications`.

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
from keras.src.backend.common import dtypes

CLASSES = 3
ARGUMENTS = {
    # The variable of float32 holds it exactly.
    "epsilon": 0.0625,
    "inner_lr": 1.0,
    "inner_iters": 1,
    "norm": "global",
}

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

# Keras itself raises an error for these.
NOT_IN_KERAS = {"torch": ["NASNet"]}
# XLA needs more than 24 GB to compile their step.
EAGER = {"jax": ["NASNet"]}


def network(family):
    """Returns a network with float64 variables, and a batch for it."""
    build, side = FAMILIES[family]
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    model = build(
        weights=None,
        input_shape=(side, side, 3),
        classes=CLASSES,
        classifier_activation=None,
    )
    rng = np.random.default_rng(0)
    return model, rng.uniform(0.0, 255.0, (BATCH_SIZES[family], side, side, 3))


def differences(family):
    """Of `AMPModel`'s step, and of a plain one, to the step by brute force."""
    step = one_step.OneStep(*network(family))
    _, expected = step.by_brute_force(**ARGUMENTS)
    _, plain = step.by_plain_sgd()
    eager = family in EAGER.get(keras.config.backend(), [])
    _, actual = step.by_amp_model(run_eagerly=eager, **ARGUMENTS)
    return [step.relative_difference(expected, a) for a in (actual, plain)]


def compute_in_float64():
    """On JAX and PyTorch, Keras takes float64 for float32 when it promotes."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"


def families_on(backend):
    return [f for f in FAMILIES if f not in NOT_IN_KERAS.get(backend, [])]


def measure(families):
    """Prints the differences of each family; changes the process' dtypes."""
    compute_in_float64()
    for family in families or families_on(keras.config.backend()):
        start = time.monotonic()
        print(json.dumps([family, differences(family)]), flush=True)
        seconds = time.monotonic() - start
        print(f"{family}: {seconds:.0f} s", file=sys.stderr, flush=True)


def differences_on(backend, *families):
    """Returns the `differences` of families, by default all, on a backend."""
    rows = every_backend.lines(
        __file__,
        backend,
        *families,
        JAX_ENABLE_X64="1",
        # Compiles in seconds instead of minutes.
        XLA_FLAGS="--xla_backend_optimization_level=0",
    )
    return dict(map(json.loads, rows))


def agree(difference, of_plain_step):
    """Whether a step is AMP's, and plain training's is not."""
    return difference < 1e-9 and of_plain_step > 0.1


if __name__ == "__main__":
    measure(sys.argv[1:])
