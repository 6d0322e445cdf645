"""What a search costs, in plain trainings of full length."""

from amp_keras.experiments.passes import passes
from amp_keras.tuner.oracles import combinations


def sentence(oracle, space, options):
    """Returns the cost of a search, with that of the grid beside halving.

    Args:
        oracle: Its oracle, after the search. A trial that failed counts as if
            it had ended.
        space: The `SearchSpace`.
        options: `SearchOptions`.
    """
    seeds = options.executions_per_trial
    hps = [trial.hyperparameters for trial in oracle.trials.values()]
    cost = sum(_passes(space, hp, seeds) for hp in hps)
    epochs = space.baseline.epochs
    line = (
        f"cost of the search: {cost / epochs:.1f} plain trainings of "
        f"{epochs} epochs"
    )
    if options.tuner == "halving":
        grid = sum(_passes(space, hp, seeds) for hp in _grid(oracle))
        line += f"; the whole grid: {grid / epochs:.1f}"
    return line


def _passes(space, hp, seeds):
    """Returns those of a trial: one that stops short has one seed only."""
    config = space.config(hp)
    first, last = space.epochs(hp)
    others = 0 if last < config.epochs else seeds - 1
    return passes(config, first, last) + others * passes(config)


def _grid(oracle):
    for values in combinations(oracle.get_space().space):
        hp = oracle.get_space()
        hp.values = values
        yield hp
