"""The flags by which evaluated networks are named."""

from absl import flags

from amp_keras import datasets
from amp_keras.cli import command_line
from amp_keras.errors import AMPKerasError
from amp_keras.experiments import evaluated_network

flags.DEFINE_multi_string(
    "run",
    [],
    "Folder of a finished run. It may be given several times, or have several "
    "folders with commas between them.",
)
flags.DEFINE_multi_string(
    "model_file",
    [],
    "A .keras file of a classifier that takes the raw pixels of --dataset, "
    "trained with or without this project. It may be given several times.",
)
command_line.define_name(
    "dataset",
    None,
    datasets.names,
    "The dataset of each --model_file.",
    others=("tfds:NAME", "folder:PATH"),
    accepts=lambda name: name.startswith(datasets.PREFIXES),
)
command_line.define_integer(
    "image_size",
    None,
    "Side in pixels to which the images of tfds:NAME and folder:PATH are "
    "resized for a --model_file.",
    lower_bound=1,
)
flags.DEFINE_string(
    "data_dir",
    None,
    "Folder of prepared TFDS datasets. Default: that of the run.",
)
flags.DEFINE_string(
    "manual_dir",
    None,
    "Folder with the archives of gtsrb. Default: that of the run.",
)
command_line.define_integer(
    "batch_size", 128, "Examples per batch.", lower_bound=1
)


def networks_from_flags():
    """Returns the networks that the command line names.

    Raises:
        AMPKerasError: If there is none, or they have different datasets.
    """
    values = flags.FLAGS
    where = values.data_dir, values.manual_dir
    networks = [
        evaluated_network.of_run(path, *where)
        for path in _separated(values.run)
    ]
    networks += [
        evaluated_network.of_model_file(
            path, values.dataset, *where, values.image_size
        )
        for path in _separated(values.model_file)
    ]
    if not networks:
        raise AMPKerasError(
            "--run or --model_file must name a network. Received: neither"
        )
    names = {network.config.dataset for network in networks}
    if values.dataset:
        names.add(values.dataset)
    if len(names) > 1:
        raise AMPKerasError(
            "the networks must have the same dataset. "
            f"Received: {', '.join(sorted(names))}"
        )
    return evaluated_network.named_apart(networks)


def _separated(values):
    return [path for value in values for path in value.split(",") if path]
