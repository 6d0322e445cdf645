"""The end of a search: the only time that the test set is looked at."""

import dataclasses
import statistics

import keras

from amp_keras.experiments import evaluation
from amp_keras.experiments import input_pipeline
from amp_keras.experiments import metrics
from amp_keras.experiments import training


def run(directory, configs, seeds, devices):
    """Trains on all training data and evaluates on the test set.

    What `directory` holds already is not done again.

    Args:
        directory: The `SearchDirectory`.
        configs: Dict of `TrainingConfig`s: `"chosen"` and `"baseline"`, or the
            latter alone.
        seeds: Ints.
        devices: What `distribution.create` returned.

    Returns:
        List of dicts, the rows of `final.csv`.
    """
    for seed in seeds:
        for role, config in configs.items():
            done = {(r["role"], int(r["seed"])) for r in directory.read_final()}
            if (role, seed) not in done:
                config = dataclasses.replace(config, seed=seed)
                print(f"training {role}, seed {seed}", flush=True)
                network, row = _run(role, config, directory, devices)
                directory.write_final_network(role, seed, network)
                directory.add_final(row)
    return directory.read_final()


def summary(rows):
    """Returns lines about the rows of `final.csv`."""
    lines = []
    for role in dict.fromkeys(row["role"] for row in rows):
        own = [row for row in rows if row["role"] == role]
        means = {
            name: _mean(own, name)
            for name in (f"test_{metric.key}" for metric in metrics.METRICS)
        }
        plural = "s" if len(own) > 1 else ""
        lines.append(
            f"{role} (epsilon={float(own[0]['epsilon']):g}, "
            f"{len(own)} seed{plural}): {metrics.line(means, 'test')}"
        )
    return lines


def _mean(rows, name):
    """`None` if it was unknown to the version that wrote one of the rows."""
    values = [row.get(name) for row in rows]
    if None in values or "" in values:
        return None
    return statistics.mean(map(float, values))


def _run(role, config, directory, devices):
    """Returns the trained network and its row of `final.csv`."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(config.seed)
    data = input_pipeline.load_data(config, devices)
    network, progress = training.train(
        config,
        data,
        devices=devices,
        statistics=directory.statistics(config, lambda: data),
    )
    values = evaluation.evaluate(network, data.test, config.batch_size)
    return network, {
        "role": role,
        "seed": config.seed,
        "epsilon": config.epsilon,
        **{f"test_{key}": value for key, value in values.items()},
        "train_loss": progress.history["loss"][-1],
        "train_accuracy": progress.history["accuracy"][-1],
        "seconds": round(progress.seconds, 1),
    }
