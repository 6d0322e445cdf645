"""Time of a training step, plain and by AMP, and of the input pipeline.

```
python benchmarks/step_time.py --model=resnet20 --batch_size=128
```

Prints medians of one run and their ratios; the times themselves say something
of this machine only. Random images of CIFAR-10's shape stand in for data.
"""

import statistics
import time

import keras
import numpy as np
from absl import app
from absl import flags

import amp_keras
from amp_keras import datasets
from amp_keras import models
from amp_keras.experiments import markdown

_SHAPE, _CLASSES, _EXAMPLES = (32, 32, 3), 10, 10_000
_WARM_UP = 3

flags.DEFINE_enum("model", "resnet20", models.names(), "The network.")
flags.DEFINE_integer("batch_size", 128, "Examples per step.", lower_bound=1)
flags.DEFINE_integer("steps", 30, "Steps to time of each.", lower_bound=1)
flags.DEFINE_bool("jit_compile", False, "Compile the step with XLA.")


def batches(steps):
    """The app's input pipeline, with crop and flip."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (_EXAMPLES, *_SHAPE), dtype="uint8")
    labels = rng.integers(0, _CLASSES, _EXAMPLES, dtype="int32")
    return datasets.training_batches(
        datasets.Split(images, labels),
        flags.FLAGS.batch_size,
        seed=0,
        steps=steps,
        padding=4,
        flip=True,
    )


class StepTimer(keras.callbacks.Callback):
    """Collects the seconds of each training step."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_train_batch_begin(self, batch, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.seconds.append(time.perf_counter() - self.start)


def step_seconds(inner_iters):
    """Median seconds of a step with so many ascents."""
    network = models.get(flags.FLAGS.model)(_SHAPE, _CLASSES)
    model = amp_keras.AMPModel(network, 0.02, inner_iters=inner_iters)
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=flags.FLAGS.jit_compile,
    )
    timer = StepTimer()
    data = batches(flags.FLAGS.steps + _WARM_UP)
    model.fit(data, verbose=0, shuffle=False, callbacks=[timer])
    return statistics.median(timer.seconds[_WARM_UP:])


def batch_seconds():
    """Seconds that the input pipeline alone needs for a batch."""
    iterator = iter(batches(flags.FLAGS.steps + _WARM_UP))
    for _ in range(_WARM_UP):
        next(iterator)
    start = time.perf_counter()
    for _ in iterator:
        pass
    return (time.perf_counter() - start) / flags.FLAGS.steps


def main(_):
    datasets.hide_gpus_from_tensorflow()
    plain = step_seconds(inner_iters=0)
    rows = [("plain step", plain)]
    for inner_iters in (1, 2):
        seconds = step_seconds(inner_iters)
        rows.append((f"AMP step, inner_iters={inner_iters}", seconds))
    rows.append(("batch of the input pipeline", batch_seconds()))
    cells = [
        (name, f"{1000 * seconds:.1f}", f"{seconds / plain:.2f}")
        for name, seconds in rows
    ]
    print(markdown.table(["", "ms", "of a plain step"], cells))


if __name__ == "__main__":
    app.run(main)
