"""The page of a comparison, from made-up rows."""

import pytest

from amp_keras.comparison import page

ROWS = [
    {
        "method": "erm",
        "title": "plain training",
        "seeds": 2,
        "tuning_runs": 0,
        "passes": 1.0,
        "seconds": 10.0,
        "test_error": 0.2,
        "test_error_std": 0.01,
        "test_loss": 0.7,
        "test_loss_std": 0.02,
        "test_brier": 0.41,
        "test_brier_std": 0.003,
        "test_ece": 0.15,
        "test_ece_std": 0.004,
        "val_loss": 1.6,
        "val_loss_std": 0.005,
        "test_temperature": 0.85,
        "test_temperature_std": 0.04,
        "test_loss_scaled": 0.65,
        "test_loss_scaled_std": 0.006,
        "test_ece_scaled": 0.25,
        "test_ece_scaled_std": None,
    }
]
OLD = ["test_error", "test_loss", "test_ece"]
NEW = [name for name in page.METRICS if name in ROWS[0]]


def whole(names, **parts):
    return page.page("x", "X.", ROWS, [], names, "python", {"a": "1"}, **parts)


def test_calibration_has_a_table_of_its_own():
    text = whole(NEW)
    first, second = (part for part in text.split("\n\n") if part[0] == "|")
    assert first.splitlines() == [
        "| method | seeds | passes | seconds | test error % | test NLL "
        "| test ECE |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| plain training | 2 | 1.00 | 10 | 20.0 ± 1.0 | 0.700 ± 0.020 "
        "| 0.150 ± 0.004 |",
    ]
    assert second.splitlines() == [
        "| method | test Brier | test ECE | temperature | test ECE, scaled "
        "| test NLL, scaled |",
        "| --- | --- | --- | --- | --- | --- |",
        "| plain training | 0.410 ± 0.003 | 0.150 ± 0.004 | 0.85 ± 0.04 "
        "| 0.250 | 0.650 ± 0.006 |",
    ]
    assert "## Calibration" in text
    assert "fitted on the validation data" in text


def test_runs_without_validation_data_have_no_temperature():
    text = whole([*OLD, "test_brier"])
    assert "| plain training | 0.410 ± 0.003 | 0.150 ± 0.004 |" in text
    assert "temperature" not in text


def test_runs_of_earlier_versions_have_no_such_table():
    assert page.calibration_part(ROWS, OLD) == ""
    assert "Calibration" not in whole(OLD)


@pytest.mark.parametrize("drawn", [False, True])
def test_page_has_the_plot_against_the_radius_if_there_is_one(drawn):
    assert ("(epsilon.png)" in whole(NEW, has_radius_plot=drawn)) == drawn


@pytest.mark.parametrize("names", [OLD, NEW])
@pytest.mark.parametrize("drawn", [False, True])
def test_parts_have_one_empty_line_between_them(names, drawn):
    tried = [
        {"tuned": "A", "method": m, "title": m, "val_loss": 1.0}
        | {"val_accuracy": 0.5, "chosen": m == "a"}
        for m in ("a", "b")
    ]
    for tuning in ("", page.tuning_part(tried, ROWS, 0, "val_loss")):
        text = whole(names, has_radius_plot=drawn, tuning=tuning)
        assert "\n\n\n" not in text
        for heading in ("## Calibration", "## Values", "!["):
            assert text.count(f"\n{heading}") == text.count(f"\n\n{heading}")
