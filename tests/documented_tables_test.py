"""The numbers of docs/ are those of the comparisons that they link to."""

import csv
import json
import pathlib
import re

import comparison_tables
import method_tables
import numpy as np
import pooled
import pytest
import scipy.stats

ROOT = pathlib.Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# The table of curvatures, from a page of apps/evaluate.py.
OF_OTHER_SOURCES = "| | plain training | AMP, epsilon 0.5 |"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_tables_are_those_of_the_comparisons(path):
    """`python scripts/comparisons_table.py --renew PAGE` writes them anew."""
    text = path.read_text()
    for tables in (comparison_tables, method_tables):
        assert tables.renewed(text, path.parent) == text


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_each_table_of_means_links_to_its_comparisons(path):
    for table in re.findall(r"(?:^\|.*\n)+", path.read_text(), re.MULTILINE):
        if "±" in table and not table.startswith(OF_OTHER_SOURCES):
            assert "/README.md)" in table
            marked = table.replace("±", "+")
            assert any(
                tables.renewed(marked, path.parent) != marked
                for tables in (comparison_tables, method_tables)
            ), table


@pytest.mark.parametrize(
    ("tables", "row"),
    [
        (comparison_tables, "| [digits, 40 % wrong, ResNet-8]"),
        (method_tables, "| AMP |"),
    ],
    ids=["of comparisons", "of methods"],
)
def test_another_number_is_found(tables, row):
    text = (ROOT / "README.md").read_text()
    begin = text.index(row)
    end = text.index("±", begin)
    assert tables.renewed(f"{text[:end]}0{text[end:]}", ROOT) == text


@pytest.fixture
def comparison(tmp_path):
    """Errors of two methods with five seeds, of which two were run later."""
    plain = np.array([0.30, 0.20, 0.10, 0.25, 0.12])
    amp = np.array([0.10, 0.08, 0.12, 0.15, 0.11])
    write(tmp_path, plain[:3], amp[:3])
    write(tmp_path / "further_seeds", plain[3:], amp[3:], seed=3)
    return tmp_path, plain, amp


def write(folder, plain, amp, seed=0):
    folder.mkdir(exist_ok=True)
    low, high = interval(amp - plain)
    agree = np.sum(np.sign(amp - plain) == np.sign(np.mean(amp - plain)))
    rows = [
        {
            "method": name,
            "title": name,
            "seeds": len(values),
            "seconds": 10.0 * len(values),
            "test_error": values.mean(),
            "test_error_std": values.std(ddof=1),
        }
        for name, values in (("erm", plain), ("amp", amp))
    ]
    difference = {
        "method": "amp",
        "title": "amp",
        "metric": "test_error",
        "seeds": len(amp),
        "difference": np.mean(amp - plain),
        "low": low,
        "high": high,
        "agree": agree,
    }
    config = {"epochs": 40, "seed": seed, "command": f"--seed={seed}"}
    (folder / "config.json").write_text(json.dumps(config))
    for name, table in (("comparison", rows), ("differences", [difference])):
        with open(folder / f"{name}.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, table[0])
            writer.writeheader()
            writer.writerows(table)


def interval(values):
    """Returns the 95 % interval of the mean, by another way to it."""
    return scipy.stats.t.interval(
        0.95, len(values) - 1, values.mean(), scipy.stats.sem(values)
    )


def test_means_are_of_all_seeds(comparison):
    folder, plain, _ = comparison
    row = pooled.comparison(folder)[0]
    assert row["seeds"] == "5"
    assert row["test_error"] == pytest.approx(plain.mean())
    assert row["test_error_std"] == pytest.approx(plain.std(ddof=1))
    assert row["seconds"] == pytest.approx((3 * 30 + 2 * 20) / 5)
    assert pooled.cell(row, "test_error") == "19.4 ± 8.5"


def test_intervals_are_of_all_seeds(comparison):
    folder, plain, amp = comparison
    (row,) = pooled.differences(folder)
    low, high = interval(amp - plain)
    assert row["seeds"] == 5
    assert row["difference"] == pytest.approx(np.mean(amp - plain))
    assert row["low"] == pytest.approx(low)
    assert row["high"] == pytest.approx(high)
    assert row["agree"] == 4


def test_parts_of_other_signs_do_not_tell_how_many_agree(comparison):
    folder, plain, _ = comparison
    write(folder / "further_seeds", plain[3:], plain[3:] + [0.0, 0.01], seed=3)
    (row,) = pooled.differences(folder)
    assert row["agree"] == ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 2}, "must begin after the 3 from 0 on. Received: 2"),
        ({"epochs": 20}, r"Received: \{'epochs': \(40, 20\)\}"),
    ],
)
def test_further_seeds_are_of_the_same_and_others(comparison, changes, message):
    path = comparison[0] / "further_seeds" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(ValueError, match=message):
        pooled.comparison(comparison[0])


def test_a_metric_that_a_part_lacks_is_a_dash(comparison):
    folder, *_ = comparison
    path = folder / "further_seeds" / "comparison.csv"
    path.write_text(path.read_text().replace("test_error", "test_loss"))
    assert pooled.cell(pooled.comparison(folder)[0], "test_error") == "-"


def test_a_method_with_fewer_seeds_says_so():
    row = {
        "method": "erm",
        "seeds": "5",
        "last_test_error": "0.2",
        "last_test_error_std": "",
        "last_test_loss": "0.7",
        "last_test_loss_std": "0.01",
    }
    fewer = {"method": "amp-epsilon-0.2", "seeds": "3"}
    results = {"erm": row, "amp-epsilon-0.2": {**row, **fewer}}
    cell = comparison_tables._cell(results, "amp", "last_")
    assert cell == "20.0 / 0.700 ± 0.010 (0.2, 3 seeds)"


def test_a_single_further_seed_counts(tmp_path):
    values = np.array([0.1, 0.3])
    for folder, value in zip(("", "further_seeds"), values):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "comparison.csv").write_text(
            "method,title,seeds,seconds,test_error,test_error_std\n"
            f"erm,plain,1,10.0,{value},\n"
        )
    (row,) = pooled.comparison(tmp_path)
    assert row["test_error_std"] == pytest.approx(values.std(ddof=1))
