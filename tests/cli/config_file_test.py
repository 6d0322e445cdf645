"""`--config=FILE`: its values are the defaults of the flags of training."""

import json
import pathlib

import pytest
from absl import flags
from absl.testing import flagsaver

from amp_keras.cli import training_flags
from amp_keras.errors import AMPKerasError


@pytest.fixture
def config_from(tmp_path):
    """Returns the configuration of a file's content and other flags."""

    def config(content, *arguments):
        file = tmp_path / "best.json"
        if not isinstance(content, str | bytes):
            content = json.dumps(content)
        if isinstance(content, str):
            content = content.encode()
        file.write_bytes(content)
        with flagsaver.flagsaver():
            flags.FLAGS(["train.py", f"--config={file}", *arguments])
            return training_flags.config_from_flags()[0]

    return config


def test_values_of_the_file_are_taken(config_from):
    config = config_from(
        {"epsilon": 0.25, "epochs": 3, "augment": False, "perturb": None}
    )
    assert (config.epsilon, config.epochs) == (0.25, 3)
    assert config.augment is False and config.perturb is None
    assert config.model == "resnet20"


def test_run_is_repeated_from_what_it_wrote(config_from):
    """Its `config.json` has facts beside the flags, and a version's more."""
    folder = pathlib.Path(__file__).parents[1] / "golden" / "run" / "finished"
    content = json.loads((folder / "config.json").read_text())
    config = config_from({**content, "epsilon_origin": "measured"})
    assert (config.epsilon, config.train_examples) == (0.05, 96)
    assert (config.optimizer, config.learning_rate) == ("sgd", 0.1)


def test_flags_of_the_command_line_take_precedence(config_from):
    config = config_from({"epsilon": 1, "epochs": 3}, "--epochs=30")
    assert (config.epsilon, config.epochs) == (1.0, 30)


def test_a_file_does_not_outlive_its_run(config_from):
    config_from({"epochs": 3})
    assert config_from({}).epochs == 30


@pytest.mark.parametrize(
    "content, message",
    [
        ({"epsilo": 1}, "did you mean epsilon? Received: epsilo"),
        ({"foo": 1}, "flags of training; dataset, image_size, labels"),
        ({"epsilon": -1}, "--epsilon=-1: -1.0 is not a non-negative number"),
        ({"epsilon": "1"}, 'epsilon must be a number. Received: "1"'),
        ({"epochs": 1.5}, "epochs must be an integer. Received: 1.5"),
        ({"epochs": True}, "epochs must be an integer. Received: true"),
        ({"seed": None}, "seed must be an integer. Received: null"),
        ({"augment": 1}, "augment must be true or false. Received: 1"),
        ({"model": "resnet21"}, "must be one of mlp, resnet8, resnet20"),
        ({"perturb": "("}, "must be a regular expression"),
        ([1], "must be a JSON file that holds an object"),
        ("{", "must be a JSON file. Received"),
        ("", "must be a JSON file. Received"),
        (bytes(range(256)), "must be a JSON file. Received"),
    ],
)
def test_what_the_flags_do_not_take_is_refused(content, message, config_from):
    with pytest.raises(AMPKerasError) as error:
        config_from(content)
    assert message in str(error.value)
    assert "best.json" in str(error.value)


@pytest.mark.parametrize("name", ["none.json", "folder.json"])
def test_file_that_is_not_there_is_named(name, tmp_path):
    (tmp_path / "folder.json").mkdir()
    with flagsaver.flagsaver():
        flags.FLAGS(["train.py", f"--config={tmp_path / name}"])
        with pytest.raises(AMPKerasError, match=name):
            training_flags.config_from_flags()
