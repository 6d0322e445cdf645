"""Rows, tables, summary and plot of trials made by hand."""

import types

import keras_tuner
import pytest
from keras_tuner.engine.trial import Trial

from amp_keras.search import plots
from amp_keras.search import summary
from amp_keras.search import trials


def trial(number, values, status="COMPLETED", **metrics):
    hp = keras_tuner.HyperParameters()
    hp.values = dict(values)
    made = Trial(hp, trial_id=f"{number:04d}", status=status)
    for name, value in metrics.items():
        made.metrics.update(name, value)
    return made


def measured(loss, accuracy=0.5, seeds=()):
    return {
        "val_loss": loss,
        "val_accuracy": accuracy,
        **{f"val_loss_seed{seed}": value for seed, value in enumerate(seeds)},
        **{f"val_accuracy_seed{seed}": accuracy for seed in range(len(seeds))},
    }


def rows(*made, objective="val_loss", epochs=9):
    oracle = types.SimpleNamespace(trials={t.trial_id: t for t in made})
    return trials.rows(oracle, objective, epochs)


def test_best_comes_first_by_either_objective():
    made = [
        trial(0, {"epsilon": 0.0}, **measured(0.5, 0.7)),
        trial(1, {"epsilon": 0.1}, **measured(0.4, 0.6)),
        trial(2, {"epsilon": 0.2}, status="FAILED"),
        trial(3, {"epsilon": 0.3}, status="RUNNING"),
    ]
    by_loss = rows(*made)
    assert [row["trial"] for row in by_loss[:2]] == ["0001", "0000"]
    assert [row["status"] for row in by_loss[2:]] == ["failed", "unfinished"]
    by_accuracy = rows(*made, objective="val_accuracy")
    assert trials.best(by_accuracy)["epsilon"] == 0.0
    assert trials.best(rows(made[2])) is None
    assert trials.baseline(by_loss)["trial"] == "0000"


def test_choice_of_hyperband_is_among_trials_of_full_length():
    made = [
        trial(0, {"epsilon": 0.0, "tuner/epochs": 9}, **measured(0.5)),
        trial(1, {"epsilon": 0.1, "tuner/epochs": 3}, **measured(0.1)),
    ]
    best = trials.best(rows(*made))
    assert (best["epsilon"], best["epochs"]) == (0.0, 9)
    assert trials.describe(made[1]) == "epsilon=0.1, epochs=3"


def test_nothing_is_chosen_where_all_of_full_length_failed():
    made = rows(
        trial(0, {"epsilon": 0.0, "tuner/epochs": 9}, status="FAILED"),
        trial(1, {"epsilon": 0.1, "tuner/epochs": 3}, **measured(0.1)),
        trial(2, {"epsilon": 0.0, "tuner/epochs": 3}, **measured(0.2)),
    )
    assert trials.best(made) is None and trials.baseline(made) is None


def test_csv_and_table_have_what_any_trial_has(tmp_path):
    made = rows(
        trial(0, {"epsilon": 0.0}, **measured(0.5, seeds=(0.4, 0.6))),
        trial(1, {"epsilon": 0.1, "inner_lr": 3.0}, status="FAILED"),
    )
    trials.write_csv(tmp_path / "trials.csv", made)
    assert (tmp_path / "trials.csv").read_text().splitlines() == [
        "trial,status,epsilon,inner_lr,val_loss,val_accuracy,"
        "val_accuracy_seed0,val_accuracy_seed1,val_loss_seed0,val_loss_seed1",
        "0000,completed,0.0,,0.5,0.5,0.5,0.5,0.4,0.6",
        "0001,failed,0.1,3.0,,,,,,",
    ]
    assert trials.table(made).splitlines() == [
        "| trial | status | epsilon | inner_lr | val_loss | val_accuracy |",
        "| --- | --- | --- | --- | --- | --- |",
        "| 0000 | completed | 0 | - | 0.5 | 0.5 |",
        "| 0001 | failed | 0.1 | 3 | - | - |",
    ]


BASELINE = trial(0, {"epsilon": 0.0}, **measured(0.5, seeds=(0.4, 0.6)))
BETTER = trial(1, {"epsilon": 0.1}, **measured(0.3, seeds=(0.3, 0.3)))
WORSE = trial(2, {"epsilon": 0.2}, **measured(0.9, seeds=(0.9, 0.9)))
WORST = trial(3, {"epsilon": 0.05}, **measured(1.9, seeds=(1.9, 1.9)))


@pytest.mark.parametrize(
    "made, sentence",
    [
        (
            [BASELINE, BETTER, WORSE, WORST],
            "the best is epsilon=0.1: val_loss 0.3000, plain training 0.5000; "
            "difference -0.2000, standard deviation 0.1414 over 2 seeds",
        ),
        (
            [BASELINE, BETTER],
            "the best is epsilon=0.1: val_loss 0.3000, plain training 0.5000; "
            "difference -0.2000, standard deviation 0.1414 over 2 seeds; it "
            "lies at the end of the values tried: try beyond",
        ),
        ([BASELINE, WORSE], "the best is plain training, epsilon=0"),
        (
            [BETTER],
            "no plain training succeeded: there is nothing to compare with",
        ),
    ],
)
def test_best_is_compared_with_plain_training(made, sentence):
    assert summary.sentence_on_best(rows(*made), "val_loss") == sentence


def test_one_seed_is_said_to_tell_little():
    one = trial(0, {"epsilon": 0.0}, **measured(0.5, seeds=(0.5,)))
    other = trial(1, {"epsilon": 0.1}, **measured(0.4, seeds=(0.4,)))
    assert "one seed does not tell" in summary.sentence_on_best(
        rows(one, other), "val_loss"
    )


def test_plot_has_baseline_means_and_seeds(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(
        plots.matplotlib.figure.Figure,
        "savefig",
        lambda figure, path, dpi: figures.append(figure),
    )
    failed = trial(4, {"epsilon": 0.4}, status="FAILED")
    made = rows(BASELINE, BETTER, WORSE, failed)
    plots.draw(tmp_path / "epsilon.png", made, "title")
    loss = figures[0].axes[0]
    assert loss.get_xscale() == "log"
    line, means = loss.lines
    assert list(line.get_ydata()) == [0.5, 0.5]
    assert list(means.get_xdata()) == [0.1, 0.2]
    assert list(means.get_ydata()) == [0.3, 0.9]
    points = loss.collections[0].get_offsets().tolist()
    assert sorted(points) == [[0.1, 0.3], [0.1, 0.3], [0.2, 0.9], [0.2, 0.9]]
