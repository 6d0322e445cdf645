"""Classes and calibrated probabilities of a person's own images."""

import csv
import io

import numpy as np

from amp_keras import atomic_file
from amp_keras.datasets import image_files
from amp_keras.errors import AMPKerasError
from amp_keras.experiments import classification
from amp_keras.experiments.evaluated_network import log_probabilities

_AT_ONCE = 1024


def predict(network, images, output, temperature=None, batch_size=128):
    """Writes a CSV file of the classes and probabilities of image files.

    Args:
        network: An `EvaluatedNetwork`.
        images: List of paths of files and folders.
        output: Path of the CSV file: `file`, `class`, `probability`, that of
            the class, and a column of probabilities for each class.
        temperature: Float, by which logits are divided. Defaults to `None`: it
            is fitted on the validation data of the run or, if it had none, on
            the test data. (The images are neither.)
        batch_size: Int. Defaults to `128`.

    Returns:
        A tuple: the number of images, the temperature, and a string that says
        what it was fitted on.

    Raises:
        AMPKerasError: If there are no images, one cannot be read, the
            network or the dataset cannot be loaded, or the file cannot be
            written.
    """
    try:
        files = image_files.find(images)
    except AMPKerasError as error:
        raise AMPKerasError(f"--images: {error}") from error
    data, model = network.load_data(), network.load()
    network.check_fits(model, data)
    fitted_on = "--temperature"
    if temperature is None:
        temperature, fitted_on = _fit_temperature(model, data, batch_size)
    rows = []
    for start in range(0, len(files), _AT_ONCE):
        part = files[start : start + _AT_ONCE]
        scaled = _log_probabilities_of(part, model, data, batch_size)
        scaled = classification.normalized(scaled / temperature)
        rows += zip(part, np.exp(scaled))
    _write(output, rows, data.class_names)
    return len(files), temperature, fitted_on


def _fit_temperature(model, data, batch_size):
    split, name = data.test, classification.TEST
    if data.validation:
        split, name = data.validation, classification.VALIDATION
    predicted, _ = log_probabilities(model, split.images, batch_size)
    return classification.fit(split.labels, predicted, name)


def _log_probabilities_of(files, model, data, batch_size):
    try:
        # The digits' pixels go from 0 to 16.
        _, largest = data.pixel_range
        images = image_files.read(files, data.image_shape, largest)
    except AMPKerasError as error:
        raise AMPKerasError(f"--images: {error}") from error
    return log_probabilities(model, images, batch_size)[0]


def _write(output, rows, class_names):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "class", "probability", *class_names])
    for file, probabilities in rows:
        best = int(probabilities.argmax())
        writer.writerow(
            [file, class_names[best], f"{probabilities[best]:.6g}"]
            + [f"{p:.6g}" for p in probabilities]
        )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        atomic_file.write_text(output, text.getvalue())
    except OSError as error:
        raise AMPKerasError(
            "--output_file must be a file that can be written. "
            f"Received: --output_file={output} ({error.strerror})"
        ) from error
