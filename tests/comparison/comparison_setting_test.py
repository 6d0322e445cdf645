"""What a page says of the epoch that its test metrics are of."""

import pytest

from amp_keras.comparison import comparison
from amp_keras.experiments.config import TrainingConfig

LOWEST = "Test metrics are those of the epoch of lowest validation loss"
EXCEPTION = ", or of the last one for a method with restore_best_weights=False"


@pytest.mark.parametrize(
    ("restores", "expected"),
    [
        ([True, True], LOWEST),
        ([False, False], "Test metrics are those of the last epoch"),
        ([True, False], LOWEST + EXCEPTION),
    ],
    ids=["the best", "the last", "each its own"],
)
def test_page_says_which_epoch_counts(restores, expected):
    configs = [
        TrainingConfig(validation_split=0.2, restore_best_weights=restore)
        for restore in restores
    ]
    assert comparison._setting(configs, None).endswith(f". {expected}.")


def test_without_validation_there_is_no_such_epoch():
    assert "epoch of" not in comparison._setting([TrainingConfig()], None)
