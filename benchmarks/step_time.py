"""What a step by AMP costs, in steps of plain training.

```
KERAS_BACKEND=torch python benchmarks/step_time.py --model=resnet20
python benchmarks/step_time.py --model=mlp --batch_size=64 --output=mlp.json
python benchmarks/step_time.py --versus=../AMP-Regularizer
```

Plain steps and those of AMP take turns in one process, so that a machine that
slows down or is busy hits all alike. A step is one within `fit()`, with all
that Keras does for it. What counts is the column `to arithmetic`: the time as a
multiple of that of as many plain steps as AMP makes passes, the median of the
rounds; 1.00 is no waste. Milliseconds say something of this machine only.

`--versus` has the code of the AMP authors take turns too, in a process of its
own that is idle meanwhile, and PyTorch's plain step. `speed to authors'` is how
many images a second a kind takes, as a multiple of theirs.

`--memory` is the most memory of the host that a process has held that only
takes steps of one kind, imports and tracing and compilation of the first step
included; what AMP adds is the column `over plain`. That of a GPU is not in it.
"""

import contextlib
import json
import os
import pathlib
import platform
import statistics
import sys
import time

import _authors as authors_code
import _peak_memory as peak_memory
import _step_networks as step_networks
import _step_table as step_table
import keras
import numpy as np
from absl import app
from absl import flags

import amp_keras
from amp_keras import errors

_KINDS = {
    "plain": {},
    "AMP, N=1": {"inner_iters": 1},
    "AMP, N=2": {"inner_iters": 2},
    "AMP, N=3": {"inner_iters": 3},
    "AMP, 1/4 of the batch": {"inner_fraction": 1 / 4},
    "AMP, 1/8 of the batch": {"inner_fraction": 1 / 8},
}
# The authors' code has a ball for each variable.
_KINDS_VERSUS = {
    "plain": {},
    "AMP, per variable, N=1": {"norm": "per_variable"},
    "AMP, per variable, 1/8 of the batch": {
        "norm": "per_variable",
        "inner_fraction": 1 / 8,
    },
}
_ALL_KINDS = {**_KINDS, **_KINDS_VERSUS}
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
flags.DEFINE_enum(
    "data_format",
    "channels_last",
    ["channels_first", "channels_last"],
    "The layout of our images. TensorFlow may refuse channels_first on a CPU.",
)
flags.DEFINE_string(
    "versus", None, "A checkout of the authors' repository, to compare with."
)
flags.DEFINE_bool("memory", False, "Measure memory, in processes of their own.")
flags.DEFINE_string("output", None, "A JSON file to write, with all rounds.")
flags.DEFINE_enum("only", None, list(_ALL_KINDS), "Print the memory of a kind.")


class Step:
    """Takes steps of one kind and measures them.

    Attributes:
        shapes: List of tuples, of the trainable weights.
        passes: Float, forward and backward passes over a batch in a step.
        compile_seconds: Float, what the first step took.
        traces: Integer, how often Python has run the step, which is each time
            where nothing is compiled.
    """

    def __init__(self, kind):
        arguments = _ALL_KINDS[kind]
        network, self._x, self._y = step_networks.get(
            flags.FLAGS.model, flags.FLAGS.batch_size
        )
        self.shapes = [tuple(w.shape) for w in network.trainable_weights]
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


def own_kinds():
    return _KINDS_VERSUS if flags.FLAGS.versus else _KINDS


@contextlib.contextmanager
def authors_or_none():
    """The process of the authors' code, if the flags ask for it."""
    if not flags.FLAGS.versus:
        yield None
        return
    if flags.FLAGS.dtype != "float32":
        raise errors.AMPKerasError(
            "`--versus` must go with --dtype=float32. "
            f"Received: --dtype={flags.FLAGS.dtype}"
        )
    with authors_code.Authors(
        flags.FLAGS.versus, flags.FLAGS.model, flags.FLAGS.batch_size
    ) as authors:
        yield authors


def measure():
    """Returns what is measured, and of what, as the file will have it."""
    with authors_or_none() as authors:
        steps = {kind: Step(kind) for kind in own_kinds()}
        if not authors:
            return {**about(), "results": measure_steps(steps)}
        for step in authors.steps.values():
            authors_code.check_same_network(steps["plain"].shapes, step.shapes)
        results = measure_steps({**steps, **authors.steps})
        authors_code.add_speeds(results)
        return {**about(), "authors": authors.about, "results": results}


def measure_steps(steps):
    """Returns, by kind, what rounds of turns measure."""
    for step in steps.values():
        step.seconds(3)
    count = flags.FLAGS.seconds / steps["plain"].seconds(3)
    count = int(np.clip(count, 3, _MOST_STEPS))
    rounds = {kind: [] for kind in steps}
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


def add_memory(results):
    """Adds to results by kind the MiB that a process of that kind alone needs.

    Not to those of the authors' code.
    """
    for kind in own_kinds():
        mib = peak_memory.mib_of(
            __file__, [*sys.argv[1:], "--nomemory", f"--only={kind}"]
        )
        results[kind]["mib"] = mib
        results[kind]["mib_over_plain"] = mib - results["plain"]["mib"]


def print_memory(kind):
    Step(kind).seconds(3)
    print(peak_memory.own_mib())


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
        "cores_of_the_process": _cores_of_the_process(),
    }


def _cores_of_the_process():
    """Returns how many it may use, fewer than there are after `taskset`."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def run():
    """Measures, prints and writes what the flags ask for."""
    if flags.FLAGS.memory:
        peak_memory.check()
    measured = measure()
    if flags.FLAGS.memory:
        add_memory(measured["results"])
    print(step_table.table(measured["results"]))
    if flags.FLAGS.output:
        path = pathlib.Path(flags.FLAGS.output)
        path.write_text(json.dumps(measured, indent=2) + "\n")


def main(_):
    keras.config.set_dtype_policy(flags.FLAGS.dtype)
    keras.config.set_image_data_format(flags.FLAGS.data_format)
    if flags.FLAGS.only:
        print_memory(flags.FLAGS.only)
        return
    try:
        run()
    except errors.AMPKerasError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    app.run(main)
