"""The command that evaluates trained networks: `apps/evaluate.py`."""

import dataclasses
import math

from absl import flags

from amp_keras import datasets
from amp_keras.cli import command_line
from amp_keras.cli.evaluation_flags import networks_from_flags
from amp_keras.cli.interruption import Interruption
from amp_keras.errors import AMPKerasError
from amp_keras.experiments import evaluation_tables
from amp_keras.experiments import markdown
from amp_keras.experiments.checkpoint_callback import Interrupted
from amp_keras.experiments.evaluate_networks import EvaluationOptions
from amp_keras.experiments.evaluate_networks import evaluate_networks
from amp_keras.experiments.evaluation_directory import EvaluationDirectory

_DEFAULT = EvaluationOptions()

command_line.define_integer(
    "bins",
    _DEFAULT.bins,
    "Bins of the reliability diagram and of the calibration errors.",
    lower_bound=1,
)
command_line.define_bool(
    "curvature",
    _DEFAULT.curvature,
    "Compute the largest eigenvalues and the trace of the Hessian.",
)
command_line.define_bool(
    "landscape",
    _DEFAULT.landscape,
    "Compute the loss against radius, along a line and on a plane.",
)
command_line.define_integer(
    "examples",
    _DEFAULT.examples,
    "Training examples that --curvature and --landscape are computed on.",
    lower_bound=1,
)
command_line.define_integer(
    "eigenvalues", _DEFAULT.eigenvalues, "How many eigenvalues.", lower_bound=1
)
command_line.define_integer(
    "trace_samples",
    _DEFAULT.trace_samples,
    "Random probes of the trace.",
    lower_bound=1,
)
flags.DEFINE_string(
    "radii",
    ",".join(f"{radius:g}" for radius in _DEFAULT.radii),
    "Distances from the weights at which the loss is computed.",
)
command_line.define_integer(
    "slice_points", _DEFAULT.slice_points, "Points of the line.", lower_bound=2
)
command_line.define_integer(
    "plane_points",
    _DEFAULT.plane_points,
    "Points of each axis of the plane.",
    lower_bound=2,
)
command_line.define_integer(
    "seed", _DEFAULT.seed, "Seed of directions and probes.", 0, 2**31 - 1
)
command_line.define_integer(
    "verbose", _DEFAULT.verbose, "0: silent, 1: bars.", 0, 1
)
flags.DEFINE_string(
    "output_dir",
    None,
    "Folder for what the evaluation leaves; one that stands there is gone on "
    "with. Default: runs/evaluation-NAME.",
)
command_line.define_bool(
    "overwrite", False, "Remove the evaluation that stands in the folder."
)


@flags.validator("radii", message="must be increasing distances, as 0.1,0.2")
def _are_increasing(radii):
    try:
        numbers = [0.0, *map(float, radii.split(","))]
    except ValueError:
        return False
    increase = all(a < b for a, b in zip(numbers, numbers[1:]))
    return increase and math.isfinite(numbers[-1])


def main():
    datasets.hide_gpus_from_tensorflow()
    networks = networks_from_flags()
    options = _options()
    settings = {
        "dataset": networks[0].config.dataset,
        "networks": [f"{n.name} {n.digest()[:16]}" for n in networks],
        **dataclasses.asdict(options),
    }
    path = flags.FLAGS.output_dir or EvaluationDirectory.first_free(
        _default_name(networks), settings
    )
    directory = EvaluationDirectory(path, settings, flags.FLAGS.overwrite)
    try:
        results = _evaluate_until_interrupted(networks, options, directory)
    finally:
        directory.close()
    _print_results(results, directory.path)


def _print_results(results, path):
    rows = evaluation_tables.tables(results)["metrics"]
    print(markdown.table_of_dicts(rows))
    for file in sorted(path.iterdir()):
        print(f"wrote {file}")


def _evaluate_until_interrupted(networks, options, directory):
    with Interruption() as interruption:
        try:
            return evaluate_networks(
                networks, options, directory, interruption.came
            )
        except Interrupted:
            interruption.end()
        except AMPKerasError:
            if not directory.results:
                directory.discard()
            raise


def _options():
    names = [field.name for field in dataclasses.fields(EvaluationOptions)]
    values = {name: flags.FLAGS[name].value for name in names}
    values["radii"] = tuple(map(float, values["radii"].split(",")))
    return EvaluationOptions(**values)


def _default_name(networks):
    names = "-".join(network.name for network in networks)
    return f"runs/evaluation-{names[:80]}"


def run():
    """The command, from `sys.argv` to its exit code."""
    command_line.run(main)
