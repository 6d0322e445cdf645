import csv

import numpy as np
import PIL.Image
import pytest
import scipy.special
import tiny_runs

from amp_keras import datasets
from amp_keras.errors import AMPKerasError
from amp_keras.evaluation import fit_temperature
from amp_keras.experiments import evaluated_network
from amp_keras.experiments import input_pipeline
from amp_keras.experiments import prediction


@pytest.fixture
def run(tmp_path):
    return tiny_runs.write(tmp_path / "run", validation_split=0.1)


@pytest.fixture
def images(tmp_path):
    """Digits of the test set, as files of 0 to 255, and as they were."""
    chosen = datasets.load("digits").test.images[:4]
    folder = tmp_path / "images"
    folder.mkdir()
    for number, image in enumerate(chosen):
        pixels = np.round(image[..., 0] * 255.0 / 16).astype("uint8")
        PIL.Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / "notes.txt").write_text("no image")
    return folder, chosen


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("given", [None, 2.5])
def test_files_have_the_probabilities_of_their_pixels(
    run, images, tmp_path, given
):
    folder, pixels = images
    network, output = evaluated_network.of_run(run), tmp_path / "out/p.csv"
    count, temperature, origin = prediction.predict(
        network, [folder], output, given
    )
    model = tiny_runs.network()
    if given is None:
        held_out = input_pipeline.load_data(network.config).validation
        logits = model.predict(held_out.images.astype("float32"), verbose=0)
        given = fit_temperature(logits, held_out.labels)
        assert origin == "validation data"
    assert temperature == pytest.approx(given, rel=1e-4)
    logits = model.predict(pixels.astype("float32"), verbose=0)
    expected = scipy.special.softmax(logits / given, axis=-1)
    rows = read(output)
    assert count == len(rows) == 4
    for number, (row, wanted) in enumerate(zip(rows, expected)):
        assert row["file"] == str(folder / f"{number}.png")
        assert row["class"] == str(wanted.argmax())
        found = [float(row[str(name)]) for name in range(10)]
        np.testing.assert_allclose(found, wanted, atol=0.01)
        assert float(row["probability"]) == max(found)
        assert sum(found) == pytest.approx(1.0, abs=1e-4)


def test_without_validation_data_the_test_data_give_the_temperature(
    images, tmp_path
):
    run = tiny_runs.write(tmp_path / "other")
    network = evaluated_network.of_run(run)
    found = prediction.predict(network, [images[0]], tmp_path / "p.csv")
    test = datasets.load("digits").test
    logits = tiny_runs.network().predict(
        test.images.astype("float32"), verbose=0
    )
    assert found[1] == pytest.approx(
        fit_temperature(logits, test.labels), rel=1e-4
    )
    assert found[2] == "test data"


def test_damaged_image_is_named_and_nothing_is_written(run, images, tmp_path):
    folder, _ = images
    (folder / "2.png").write_bytes((folder / "2.png").read_bytes()[:60])
    network, output = evaluated_network.of_run(run), tmp_path / "p.csv"
    with pytest.raises(AMPKerasError, match="2.png is not an image"):
        prediction.predict(network, [folder], output)
    assert not output.exists()
