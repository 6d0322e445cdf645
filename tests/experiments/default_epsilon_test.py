"""The radius of a run to which none is given, and what is said of it."""

import pytest

from amp_keras import models
from amp_keras.batch_part import stride_of
from amp_keras.experiments import default_epsilon as defaults
from amp_keras.experiments.default_epsilon import default_epsilon
from amp_keras.perturbation import NORMS


def add(monkeypatch, network, norm, fraction, epsilon, on="few images"):
    row = {(network, norm, fraction): defaults._Measured(epsilon, on)}
    monkeypatch.setattr(defaults, "_MEASURED", {**defaults._MEASURED, **row})


def test_rows_are_of_networks_norms_and_parts_that_there_are():
    for network, norm, fraction in defaults._MEASURED:
        assert network in models.names() and norm in NORMS
        assert fraction == 1 / stride_of(fraction)


@pytest.mark.parametrize(
    "norm, expected", [("global", 0.02), ("per_variable", 0.002)]
)
def test_what_was_measured_says_where(norm, expected):
    epsilon, origin = default_epsilon("resnet20", norm)
    assert epsilon == expected
    assert origin.startswith(f"the default for resnet20, norm={norm}: measured")
    assert "CIFAR-10 in 8 epochs, docs/epsilon.md" in origin
    assert "not measured" not in origin


@pytest.mark.parametrize("norm", NORMS)
def test_other_network_takes_the_value_of_resnet20_and_says_so(norm):
    epsilon, origin = default_epsilon("resnet110", norm)
    assert epsilon == default_epsilon("resnet20", norm)[0]
    assert origin.startswith("the default for resnet20")
    assert origin.endswith("; not measured for resnet110: try others")


@pytest.mark.parametrize(
    "fraction, expected", [(1 / 2, 0.02), (1 / 4, 0.06), (1 / 8, 0.06)]
)
def test_small_part_asks_for_a_larger_value(fraction, expected, monkeypatch):
    monkeypatch.setattr(defaults, "_FACTOR_OF_SMALL_PART", 3.0)
    epsilon, origin = default_epsilon("resnet20", "global", fraction)
    assert epsilon == pytest.approx(expected)
    assert origin.startswith("3 times the default") == (expected == 0.06)
    unlike = f"not measured for inner_fraction={fraction:g}: try others"
    assert origin.endswith(unlike)


def test_other_network_and_part_says_both(monkeypatch):
    monkeypatch.setattr(defaults, "_FACTOR_OF_SMALL_PART", 3.0)
    epsilon, origin = default_epsilon("vgg16", "global", 1 / 8)
    assert epsilon == pytest.approx(0.06)
    assert "not measured for vgg16, inner_fraction=0.125: try" in origin


def test_row_more_is_taken_for_its_network_norm_and_part(monkeypatch):
    add(monkeypatch, "vgg16", "global", 1 / 8, 0.7)
    assert default_epsilon("vgg16", "global", 1 / 8) == (
        0.7,
        "the default for vgg16, norm=global, inner_fraction=0.125: measured on "
        "few images",
    )
    for norm, fraction in (("global", 1.0), ("per_variable", 1 / 8)):
        _, origin = default_epsilon("vgg16", norm, fraction)
        assert "not measured for vgg16" in origin


def test_network_counts_more_than_the_part(monkeypatch):
    monkeypatch.setattr(defaults, "_FACTOR_OF_SMALL_PART", 3.0)
    add(monkeypatch, "vgg16", "global", 1.0, 0.5)
    add(monkeypatch, "resnet20", "global", 1 / 8, 0.07)
    epsilon, origin = default_epsilon("vgg16", "global", 1 / 8)
    assert epsilon == 1.5
    assert origin.startswith("3 times the default for vgg16, norm=global: ")
    epsilon, origin = default_epsilon("vgg13", "global", 1 / 8)
    assert epsilon == 0.07
    assert origin.endswith("; not measured for vgg13: try others")
