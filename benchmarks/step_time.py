"""What a step by AMP costs, in steps of plain training.

```
KERAS_BACKEND=torch python benchmarks/step_time.py --model=resnet20
python benchmarks/step_time.py --model=mlp --batch_size=64 --output=mlp.json
```

Plain steps and those of AMP take turns in one process, so that a machine that
slows down or is busy hits all alike. A step is one within `fit()`, with all
that Keras does for it. What counts is the column `to arithmetic`: the time as a
multiple of that of as many plain steps as AMP makes passes, the median of the
rounds; 1.00 is no waste. Milliseconds say something of this machine only.
"""

import json
import os
import pathlib
import platform
import resource
import statistics
import subprocess
import sys
import time

import _step_networks as step_networks
import keras
import numpy as np
from absl import app
from absl import flags

import amp_keras
from amp_keras.experiments import markdown

_KINDS = {
    "plain": {},
    "AMP, N=1": {"inner_iters": 1},
    "AMP, N=2": {"inner_iters": 2},
    "AMP, N=3": {"inner_iters": 3},
    "AMP, 1/4 of the batch": {"inner_fraction": 1 / 4},
    "AMP, 1/8 of the batch": {"inner_fraction": 1 / 8},
}
_COLUMNS = (
    "step",
    "passes",
    "ms",
    "of plain",
    "spread",
    "to arithmetic",
    "first step, s",
    "traces",
    "peak MiB",
)
_MOST_STEPS = 500

flags.DEFINE_enum("model", "resnet20", step_networks.names(), "The network.")
flags.DEFINE_integer("batch_size", 128, "Examples per step.", lower_bound=1)
flags.DEFINE_integer("rounds", 7, "Turns of each kind.", lower_bound=1)
flags.DEFINE_float("seconds", 1.0, "Of plain steps in a turn.", lower_bound=0)
flags.DEFINE_enum(
    "dtype",
    "float32",
    ["float32", "mixed_float16", "mixed_bfloat16"],
    "The dtype policy of Keras.",
)
flags.DEFINE_bool("jit_compile", False, "Compile TensorFlow's step with XLA.")
flags.DEFINE_bool("memory", False, "Measure memory, in processes of their own.")
flags.DEFINE_string("output", None, "A JSON file to write, with all rounds.")
flags.DEFINE_enum("only", None, list(_KINDS), "Print the memory of one kind.")


class Step:
    """Takes steps of one kind and measures them.

    Attributes:
        passes: Float, forward and backward passes over a batch in a step.
        compile_seconds: Float, what the first step took.
        traces: Integer, how often Python has run the step, which is each time
            where nothing is compiled.
    """

    def __init__(self, kind):
        arguments = _KINDS[kind]
        network, self._x, self._y = step_networks.get(
            flags.FLAGS.model, flags.FLAGS.batch_size
        )
        self.passes = 1.0
        self._model = network
        if arguments:
            self._model = amp_keras.AMPModel(network, 0.05, **arguments)
            amp = self._model
            self.passes += amp.inner_iters * amp.inner_fraction
        self.traces = 0
        self._count_traces()
        self._model.compile(
            keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=flags.FLAGS.jit_compile
            or ("auto" if keras.config.backend() == "jax" else False),
        )
        self.compile_seconds = self.seconds(1)

    def _count_traces(self):
        train_step = self._model.train_step

        def counted(*arguments):
            self.traces += 1
            return train_step(*arguments)

        self._model.train_step = counted

    def seconds(self, steps):
        """Takes steps and returns the mean seconds of one."""
        timer = _EpochTimer()
        self._model.fit(
            np.concatenate([self._x] * steps),
            np.concatenate([self._y] * steps),
            flags.FLAGS.batch_size,
            verbose=0,
            shuffle=False,
            callbacks=[timer],
        )
        return timer.seconds / steps


class _EpochTimer(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds = time.perf_counter() - self._start


def measure():
    """Returns, by kind, what one process measures of it."""
    steps = {kind: Step(kind) for kind in _KINDS}
    for step in steps.values():
        step.seconds(3)
    count = flags.FLAGS.seconds / steps["plain"].seconds(3)
    count = int(np.clip(count, 3, _MOST_STEPS))
    rounds = {kind: [] for kind in _KINDS}
    for _ in range(flags.FLAGS.rounds):
        for kind, step in steps.items():
            rounds[kind].append(step.seconds(count))
    return {
        kind: {
            "passes": step.passes,
            "seconds": rounds[kind],
            "compile_seconds": step.compile_seconds,
            "traces": step.traces,
            **_ratios(rounds[kind], rounds["plain"], step.passes),
        }
        for kind, step in steps.items()
    }


def _ratios(seconds, plain, passes):
    of_plain = [ours / theirs for ours, theirs in zip(seconds, plain)]
    median = statistics.median(of_plain)
    low, high = np.percentile(of_plain, [25, 75])
    return {
        "of_plain": median,
        "of_plain_spread": (high - low) / median,
        "to_arithmetic": median / passes,
    }


def memory_of(kind):
    """Returns the MiB that a process needs at most that makes such steps."""
    arguments = [*sys.argv[1:], f"--only={kind}", "--nomemory", "--output="]
    result = subprocess.run(
        [sys.executable, __file__, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(result.stdout.splitlines()[-1])


def print_memory(kind):
    Step(kind).seconds(3)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def table(results):
    rows = [
        (
            kind,
            f"{result['passes']:.3f}",
            f"{1000 * statistics.median(result['seconds']):.2f}",
            f"{result['of_plain']:.2f}",
            f"{100 * result['of_plain_spread']:.0f} %",
            f"{result['to_arithmetic']:.2f}",
            f"{result['compile_seconds']:.1f}",
            result["traces"],
            *([f"{result['mib']:.0f}"] if "mib" in result else []),
        )
        for kind, result in results.items()
    ]
    return markdown.table(_COLUMNS[: len(rows[0])], rows)


def about():
    """What the numbers are of: the command and all that made them."""
    return {
        "command": f"python benchmarks/step_time.py {' '.join(sys.argv[1:])}",
        "backend": keras.config.backend(),
        "keras": keras.__version__,
        "framework": sys.modules[keras.config.backend()].__version__,
        "amp_keras": amp_keras.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }


def main(_):
    keras.config.set_dtype_policy(flags.FLAGS.dtype)
    if flags.FLAGS.only:
        print_memory(flags.FLAGS.only)
        return
    results = measure()
    if flags.FLAGS.memory:
        for kind, result in results.items():
            result["mib"] = memory_of(kind)
    print(table(results))
    if flags.FLAGS.output:
        content = {**about(), "results": results}
        path = pathlib.Path(flags.FLAGS.output)
        path.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    app.run(main)
