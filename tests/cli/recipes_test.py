"""`--recipe`: values for the flags that a person can read."""

import json
import pathlib
import re

import pytest
from absl import flags
from absl.testing import flagsaver

from amp_keras.cli import config_file
from amp_keras.cli.training_flags import config_from_flags
from amp_keras.experiments.config import TrainingConfig
from amp_keras.experiments.default_epsilon import default_epsilon
from amp_keras.experiments.optimizer import build_optimizer
from amp_keras.optimizers import L2SGD

ROOT = pathlib.Path(__file__).parents[2]


def config(*arguments):
    with flagsaver.flagsaver():
        flags.FLAGS(["train.py", *arguments])
        return config_from_flags()[0]


def test_paper_is_the_protocol_of_the_paper():
    paper = config("--recipe=paper", "--model=preactresnet18")
    assert paper == TrainingConfig(
        model="preactresnet18",
        epochs=200,
        batch_size=50,
        learning_rate=0.1,
        milestones="100,150",
        warmup_epochs=0,
        momentum=0.9,
        nesterov=True,
        weight_decay=0,
        l2=1e-4,
        clipnorm=50,
        norm="per_variable",
        epsilon=0.5,
        inner_lr=1,
        inner_iters=1,
    )


def test_paper_optimizer_divides_its_rate_at_the_milestones():
    optimizer = build_optimizer(config("--recipe=paper"), steps_per_epoch=7)
    assert isinstance(optimizer, L2SGD)
    assert (optimizer.l2, optimizer.global_clipnorm) == (1e-4, 50)
    assert (optimizer.momentum, optimizer.nesterov) == (0.9, True)
    rates = {}
    for epoch in (0, 99, 100, 149, 150, 199):
        for step in (0, 6):
            rate = float(optimizer._learning_rate(7 * epoch + step))
            rates.setdefault(round(rate, 6), []).append(epoch)
    assert rates == {
        0.1: [0, 0, 99, 99],
        0.01: [100, 100, 149, 149],
        0.001: [150, 150, 199, 199],
    }


def test_fast_is_what_is_done_by_default():
    assert config("--recipe=fast") == config()


def test_cheap_is_fast_with_the_ascent_on_an_eighth():
    expected = config("--recipe=fast", "--inner_fraction=1/8")
    assert expected.inner_fraction == 0.125
    assert expected.epsilon == default_epsilon("resnet20", "global", 1 / 8)[0]
    assert config("--recipe=cheap") == expected


def test_late_is_fast_with_a_late_ascent_to_the_sphere():
    assert config("--recipe=late") == config(
        "--recipe=fast", "--perturb_from=0.85", "--inner_lr=1e6"
    )


def test_adaptive_is_fast_with_a_radius_that_is_set_during_the_run():
    assert config("--recipe=adaptive") == config(
        "--recipe=fast",
        "--adapt_epsilon",
        "--epsilon=0.05",
        "--inner_lr=1e6",
        "--inner_fraction=1/8",
        "--validation_split=0.1",
        "--norestore_best_weights",
    )


def test_noisy_is_fast_on_plain_small_batches_with_a_radius_that_is_set():
    assert config("--recipe=noisy") == TrainingConfig(
        epochs=40,
        batch_size=64,
        learning_rate=0.1,
        warmup_epochs=1,
        weight_decay=5e-4,
        augment=False,
        validation_split=0.2,
        restore_best_weights=False,
        epsilon=0.05,
        adapt_epsilon=True,
        inner_lr=1e6,
        inner_fraction=0.125,
    )


def test_recipe_leaves_the_learning_rate_to_the_optimizer():
    other = config("--recipe=fast", "--optimizer=adamw")
    assert (other.learning_rate, other.optimizer) == (0.001, "adamw")
    assert config("--recipe=fast").learning_rate == 0.1


@pytest.mark.parametrize("name", config_file.RECIPES)
def test_recipe_says_what_to_expect(name):
    """Numbers are those of the documents that it names, or of the paper."""
    file = config_file._FOLDER / f"{name}.json"
    about = json.loads(file.read_text())["about"]
    if re.search("nothing was measured|was not run here", about):
        return
    pages = re.findall(r"docs/[\w/-]+\.md", about)
    measured = "".join((ROOT / page).read_text() for page in pages)
    numbers = re.findall(r"\d+\.\d+", about)
    assert numbers
    assert [number for number in numbers if number not in measured] == []


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ((), 0.5),
        (("--epsilon=0.3",), 0.3),
        (("--config=FILE",), 0.2),
        (("--config=FILE", "--epsilon=0.3"), 0.3),
    ],
)
def test_flag_counts_more_than_file_and_file_more_than_recipe(
    arguments, expected, tmp_path
):
    file = tmp_path / "values.json"
    file.write_text(json.dumps({"epsilon": 0.2}))
    arguments = [a.replace("FILE", str(file)) for a in arguments]
    chosen = config("--recipe=paper", *arguments)
    assert (chosen.epsilon, chosen.batch_size) == (expected, 50)


def test_recipe_has_values_by_network(tmp_path, monkeypatch):
    recipe = {
        "flags": {"epsilon": 0.5, "epochs": 7},
        "by_model": {"resnet32": {"epsilon": 0.1}},
    }
    (tmp_path / "paper.json").write_text(json.dumps(recipe))
    monkeypatch.setattr(config_file, "_FOLDER", tmp_path)
    file = tmp_path / "values.json"
    file.write_text(json.dumps({"model": "resnet32"}))
    for arguments, expected in (
        (["--model=resnet20"], 0.5),
        (["--model=resnet32"], 0.1),
        ([f"--config={file}"], 0.1),
        ([f"--config={file}", "--model=resnet20"], 0.5),
    ):
        chosen = config("--recipe=paper", *arguments)
        assert (chosen.epsilon, chosen.epochs) == (expected, 7)


def test_recipe_says_what_it_decides(tmp_path, capsys):
    file = tmp_path / "config.json"
    file.write_text('{"epochs": 7}')
    config("--recipe=paper", f"--config={file}", "--learning_rate=0.3")
    printed = capsys.readouterr().out
    assert printed.startswith("--recipe=paper: ")
    assert "batch_size=50" in printed and "milestones=100,150" in printed
    assert "epochs=" not in printed.replace("warmup_epochs=", "")
    assert "learning_rate" not in printed


@pytest.mark.parametrize("epochs, warns", [(1, True), (2, False)])
def test_run_that_is_all_warm_up_warns(epochs, warns, recwarn):
    build_optimizer(TrainingConfig(epochs=epochs), steps_per_epoch=7)
    found = [str(warning.message) for warning in recwarn]
    assert any("try --warmup_epochs=0" in text for text in found) == warns
