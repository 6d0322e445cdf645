"""The command that classifies image files: `apps/predict.py`."""

import pathlib

from absl import flags

from amp_keras import datasets
from amp_keras.cli import command_line
from amp_keras.cli.evaluation_flags import networks_from_flags
from amp_keras.errors import AMPKerasError
from amp_keras.experiments.prediction import predict

flags.DEFINE_multi_string(
    "images",
    [],
    "Folder of PNG or JPEG files, or a file. It may be given several times, or "
    "have several with commas between them.",
)
flags.DEFINE_string(
    "output_file", "predictions.csv", "The CSV file to write, or write anew."
)
command_line.define_float(
    "temperature",
    None,
    "Temperature by which logits are divided. Default: fitted on the run's "
    "validation data or, if it had none, on the test data.",
    lower_bound=1e-3,
)


def main():
    datasets.hide_gpus_from_tensorflow()
    values = flags.FLAGS
    network = _network_from_flags()
    images = [p for value in values.images for p in value.split(",") if p]
    if not images:
        raise AMPKerasError(
            "--images must name a folder or a file. Received: none"
        )
    count, temperature, fitted_on = predict(
        network,
        images,
        pathlib.Path(values.output_file),
        values.temperature,
        values.batch_size,
    )
    print(f"{count} images; temperature {temperature:.4g}, from {fitted_on}")
    print(f"wrote {values.output_file}")


def _network_from_flags():
    networks = networks_from_flags()
    if len(networks) > 1:
        raise AMPKerasError(
            "--run or --model_file must name one network. "
            f"Received: {', '.join(network.name for network in networks)}"
        )
    return networks[0]


def run():
    """The command, from `sys.argv` to its exit code."""
    command_line.run(main)
