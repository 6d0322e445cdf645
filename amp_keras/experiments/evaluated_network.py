"""A trained network, its data and its predictions, to be evaluated."""

import dataclasses
import hashlib
import pathlib

import keras
import numpy as np

from amp_keras import AMPModel
from amp_keras.errors import AMPKerasError
from amp_keras.experiments import input_pipeline
from amp_keras.experiments import json_file
from amp_keras.experiments.config import TrainingConfig

# Probabilities of float16 are no closer to a sum of one.
_SUM_TOLERANCE = 1e-2
_LEAST_PROBABILITY = 1e-30


@dataclasses.dataclass
class EvaluatedNetwork:
    """Where a network lies and what data it is evaluated on.

    Attributes:
        name: String, by which tables and plots call it.
        model_file: Path of its `.keras` file.
        config: `TrainingConfig` of the run, or one with nothing but the
            dataset.
        origin: String, the flag it was given by, for messages.
    """

    name: str
    model_file: pathlib.Path
    config: TrainingConfig
    origin: str

    def digest(self):
        """Returns the SHA-256 of the file, as a hexadecimal string."""
        try:
            content = self.model_file.read_bytes()
        except OSError as error:
            raise AMPKerasError(
                f"{self.origin} must have a network that can be read. "
                f"Received: {self.model_file} ({error.strerror})"
            ) from error
        return hashlib.sha256(content).hexdigest()

    def load(self):
        """Returns the plain `keras.Model`; code within the file never runs."""
        try:
            network = keras.saving.load_model(
                self.model_file, compile=False, safe_mode=True
            )
        # Keras raises almost any exception for a file that is not its own.
        except Exception as error:
            first = str(error).strip().split("\n")[0]
            raise AMPKerasError(
                f"{self.origin} must be a .keras file that Keras loads in safe "
                f"mode. Received: {self.model_file} "
                f"({type(error).__name__}: {first})"
            ) from error
        return network.model if isinstance(network, AMPModel) else network

    def load_data(self):
        """Returns the `ImageData`, as the run had it."""
        return input_pipeline.load_data(self.config)

    def check_fits(self, network, data):
        """Raises an error if it is not a classifier of such images."""
        shape = tuple(network.input_shape[1:])
        if len(shape) != len(data.image_shape) or any(
            a not in (None, b) for a, b in zip(shape, data.image_shape)
        ):
            raise AMPKerasError(
                f"{self.origin} must take images of {data.name}, of shape "
                f"{data.image_shape}. Received: {self.model_file}, which takes "
                f"{shape}"
            )
        if network.output_shape[-1] != data.num_classes:
            raise AMPKerasError(
                f"{self.origin} must tell the {data.num_classes} classes of "
                f"{data.name} apart. Received: {self.model_file}, which has "
                f"outputs of shape {network.output_shape}"
            )


def of_run(path, data_dir=None, manual_dir=None):
    """Returns the `EvaluatedNetwork` of the folder of a finished run.

    Args:
        path: String, the folder.
        data_dir, manual_dir: Strings, instead of those of the run. Default to
            `None`.

    Raises:
        AMPKerasError: If it is no such folder.
    """
    folder = pathlib.Path(path)
    try:
        stored = json_file.read_object(folder / "config.json", {"dataset": str})
    except AMPKerasError as error:
        raise AMPKerasError(f"--run={path}: {error}") from error
    model_file = folder / "model.keras"
    if stored is None or not model_file.exists():
        missing = "config.json" if stored is None else "model.keras"
        raise AMPKerasError(
            "--run must be the folder of a run that has finished. "
            f"Received: --run={path}, which has no {missing}"
        )
    names = [field.name for field in dataclasses.fields(TrainingConfig)]
    config = TrainingConfig(**{n: stored[n] for n in names if n in stored})
    config.data_dir = data_dir or config.data_dir
    config.manual_dir = manual_dir or config.manual_dir
    name = folder.resolve().name
    return EvaluatedNetwork(name, model_file, config, f"--run={path}")


def of_model_file(
    path, dataset, data_dir=None, manual_dir=None, image_size=None
):
    """Returns the `EvaluatedNetwork` of a `.keras` file.

    Args:
        path: String, the file.
        dataset: String, the name of its dataset.
        data_dir, manual_dir: Strings, where it lies. Default to `None`.
        image_size: Int, the side in pixels to which its images are resized.
            Defaults to `None`: not at all.

    Raises:
        AMPKerasError: If there is no dataset.
    """
    path = pathlib.Path(path)
    if dataset is None:
        raise AMPKerasError(
            "--dataset must be given with --model_file. "
            f"Received: --model_file={path} alone"
        )
    config = TrainingConfig(
        dataset=dataset,
        image_size=image_size,
        data_dir=data_dir,
        manual_dir=manual_dir,
    )
    return EvaluatedNetwork(path.stem, path, config, f"--model_file={path}")


def named_apart(networks):
    """Gives those of the same name another one: NAME-2, NAME-3."""
    names = []
    for network in networks:
        name, number = network.name, 1
        while name in names:
            number += 1
            name = f"{network.name}-{number}"
        network.name = name
        names.append(name)
    return networks


def log_probabilities(network, images, batch_size):
    """Returns log-probabilities, and whether the network returns logits.

    Outputs that are probabilities, none negative and with sums of one, are
    taken as such.

    Args:
        network: A `keras.Model`.
        images: Array of shape `(examples, height, width, channels)`.
        batch_size: Int.

    Returns:
        A tuple: float64 array of shape `(examples, classes)`, and a bool.

    Raises:
        AMPKerasError: If the outputs are not finite.
    """
    outputs = network.predict(
        images.astype("float32"), batch_size=batch_size, verbose=0
    ).astype("float64")
    if not np.all(np.isfinite(outputs)):
        raise AMPKerasError("The network's outputs are not finite")
    sums = np.sum(outputs, axis=-1)
    if np.all(outputs >= 0) and np.all(np.abs(sums - 1) < _SUM_TOLERANCE):
        return np.log(np.maximum(outputs, _LEAST_PROBABILITY)), False
    outputs -= np.max(outputs, axis=-1, keepdims=True)
    sums = np.sum(np.exp(outputs), axis=-1, keepdims=True)
    return outputs - np.log(sums), True
