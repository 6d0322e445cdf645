import dataclasses
import json

import pytest

from amp_keras.comparison import comparison
from amp_keras.comparison import method
from amp_keras.errors import AMPKerasError
from amp_keras.experiments import perturbed_model
from amp_keras.experiments.config import TrainingConfig
from amp_keras.experiments.default_epsilon import default_epsilon

SHARED = TrainingConfig(epochs=10, warmup_epochs=1.0, batch_size=32)


@pytest.mark.parametrize("name", method.NAMES)
def test_every_method_makes_a_configuration(name):
    config = method.read(name).config(SHARED, seed=3)
    assert (config.seed, config.batch_size) == (3, 32)
    assert config.epsilon is not None


def test_plain_training_has_no_radius_whatever_is_shared():
    shared = TrainingConfig(epsilon=0.5)
    assert method.read("erm").config(shared, seed=0).epsilon == 0
    assert method.read("amp").config(shared, seed=0).epsilon == 0.5


def test_radius_that_is_not_given_is_that_of_the_norm():
    config = method.read("amp-per-variable").config(SHARED, seed=0)
    assert config.epsilon == default_epsilon(SHARED.model, "per_variable")[0]


def test_radius_of_a_part_of_the_batch_is_its_own_and_says_so():
    eighth = method.read("amp-eighth")
    config = eighth.config(SHARED, seed=0)
    expected = default_epsilon(SHARED.model, "global", 1 / 8)
    assert (config.epsilon, eighth.epsilon_origin(SHARED)) == expected
    assert method.read("erm").epsilon_origin(SHARED) == "given"


def test_learning_rate_is_that_of_the_optimizer_of_each_method():
    plain = method.read("erm")
    other = plain.with_flags({"optimizer": "adamw"})
    assert plain.config(SHARED, seed=0).learning_rate == 0.1
    assert other.config(SHARED, seed=0).learning_rate == 0.001
    assert comparison.settings(SHARED)["learning_rate"] == 0.1


def test_equal_compute_stretches_the_schedule():
    config = method.read("erm-equal-compute").config(SHARED, seed=0)
    assert (config.epochs, config.warmup_epochs) == (20, 2.0)
    shared = TrainingConfig(epochs=10, warmup_epochs=0.0, milestones="4,8")
    config = method.read("erm-equal-compute").config(shared, seed=0)
    assert (config.epochs, config.milestones) == (20, "8,16")
    assert shared.milestones == "4,8"


def test_random_perturbation_ascends_nowhere_whatever_is_shared():
    shared = TrainingConfig(epsilon=0.5, inner_iters=3, inner_fraction=1 / 8)
    config = method.read("rmp").config(shared, seed=0)
    assert (config.perturbation, config.epsilon) == ("random", 0.5)
    perturbed_model.check(config)
    with pytest.raises(AMPKerasError, match="inner_iters=3"):
        amp = method.read("amp").config(shared, seed=0)
        perturbed_model.check(dataclasses.replace(amp, perturbation="random"))


def test_other_flags_are_part_of_the_name():
    changed = method.read("amp").with_flags({"epsilon": 1.0, "inner_iters": 2})
    assert changed.name == "amp-epsilon-1-inner_iters-2"
    assert changed.title == "AMP, epsilon=1, inner_iters=2"
    assert changed.config(SHARED, seed=0).inner_iters == 2


def test_title_without_a_flag_has_the_others():
    method_of_one = method.read("amp").with_flags({"epsilon": 1.0})
    changed = method_of_one.with_flags({"inner_iters": 10})
    assert changed.title_without("epsilon") == "AMP, inner_iters=10"
    assert changed.title_without("inner_iters") == "AMP, epsilon=1"
    assert changed.title_without("inner_lr") == changed.title
    # Its title does not say so.
    assert method.read("erm").title_without("epsilon") == "plain training"


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "small-ball.json"
    content = {"title": "AMP, small ball", "flags": {"epsilon": 0.001}}
    path.write_text(json.dumps(content))
    own = method.read(str(path))
    assert (own.name, own.config(SHARED, 0).epsilon) == ("small-ball", 0.001)


@pytest.mark.parametrize(
    "content",
    ["[]", "{}", '{"title": "x", "flags": {}, "stretch": 0}', "{", '{"a": 1}'],
)
def test_what_is_no_method_is_refused(content, tmp_path):
    path = tmp_path / "method.json"
    path.write_text(content)
    with pytest.raises(ValueError):
        method.read(str(path))
