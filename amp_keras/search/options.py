"""What a search is made of."""

import dataclasses


@dataclasses.dataclass
class SearchOptions:
    """What a search is made of, beside the `TrainingConfig` of its runs.

    `epsilons=None` stands for the default values, and `max_trials=None` for
    as many as the tuner needs.
    """

    tuner: str = "grid"
    max_trials: int | None = None
    executions_per_trial: int = 1
    objective: str = "val_loss"
    search: tuple = ("epsilon",)
    epsilons: tuple | None = None
