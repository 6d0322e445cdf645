"""A comparison, from its methods and seeds to its folder."""

import dataclasses

from amp_keras.comparison import page
from amp_keras.comparison import plots
from amp_keras.comparison import radius_plot
from amp_keras.comparison import runs as comparison_runs
from amp_keras.comparison import statistics
from amp_keras.comparison import tuning
from amp_keras.comparison.progress import ProgressLine
from amp_keras.errors import AMPKerasError
from amp_keras.experiments import command
from amp_keras.experiments import input_pipeline
from amp_keras.experiments import network_file
from amp_keras.experiments import run_name
from amp_keras.experiments.optimizer import learning_rate


def tune(
    directory,
    tuned,
    seed,
    shared,
    devices,
    objective,
    should_stop=lambda: False,
):
    """Trains the candidates of methods, and chooses among them.

    Args:
        directory: An open `ComparisonDirectory`.
        tuned: List of `tuning.Tuned`.
        seed: Int, the first one of the comparison.
        shared: The `TrainingConfig` that all methods share.
        devices, objective, should_stop: As in `compare`.

    Returns:
        List of `tuning.Choice`s.

    Raises:
        Interrupted, AMPKerasError: As `compare` does.
    """
    runs = tuning.runs(tuned, seed, shared, directory.runs)
    found, reasons = _train(
        directory, runs, devices, should_stop, _TuningPrinter(runs)
    )
    diverged = [
        r for r, why in reasons.items() if why != comparison_runs.IN_USE
    ]
    choices = tuning.choose(tuned, found, objective, diverged)
    for choice in choices:
        if choice.tuned.trials and choice.method:
            print(f"chosen by {objective}: {choice.method.title}")
    return choices


def compare(
    directory,
    choices,
    seeds,
    shared,
    devices,
    objective,
    should_stop=lambda: False,
):
    """Trains what is missing, and writes and prints what all runs say.

    What cannot be trained, or is trained by another process, is left out.

    Args:
        directory: An open `ComparisonDirectory`.
        choices: List of `tuning.Choice`s, of which the first one is of the
            method that the others are compared with.
        seeds: Ints.
        shared: The `TrainingConfig` that all methods share.
        devices: What `distribution.create` returned.
        objective: String, the one of `tuning.OBJECTIVES` that chose.
        should_stop: Function that tells after each step whether to save and
            stop. Defaults to one that never does.

    Returns:
        Dict of strings, why there is no result, by `Run`.

    Raises:
        Interrupted: If `should_stop` said so; what was done is saved.
        AMPKerasError: If the data cannot be loaded, or a folder is of another
            configuration or cannot be written.
    """
    methods = [choice.method for choice in choices if choice.method]
    runs = comparison_runs.paired(methods, seeds, shared, directory.runs)
    _, missing = _train(directory, runs, devices, should_stop, _Printer(runs))
    found = comparison_runs.finished(runs)
    if found and choices[0].method:
        report(directory, runs, found, choices, objective)
    else:
        directory.discard_unless_used()
    return missing


def report(directory, runs, found, choices, objective):
    """Writes the tables, plots and page of finished runs, and prints them.

    Args:
        directory: An open `ComparisonDirectory`.
        runs: List of all `Run`s.
        found: Dict of the metrics of those that have finished, by `Run`.
        choices: List of `tuning.Choice`s, those of their methods among them.
        objective: As in `compare`.
    """
    first = next(iter(found))
    found = {run: _with_errors(metrics) for run, metrics in found.items()}
    names = [
        name
        for name in page.METRICS
        if all(name in metrics for metrics in found.values())
    ]
    trials = {choice.method: choice.tuned.trials for choice in choices}
    rows = statistics.by_method(runs, found, names, trials)
    tried = tuning.rows(choices)
    differences = statistics.differences(
        runs,
        found,
        [name for name in names if name in page.DIFFERENCES],
        lambda run: run.read_predictions(),
    )
    directory.write_table("comparison", rows)
    directory.write_table("runs", statistics.by_run(found, names))
    if differences:
        directory.write_table("differences", differences)
    if tried:
        directory.write_table("tuning", tried)
    share = found[first].get("wrong_label_share")
    directory.write_plot(
        "comparison",
        plots.comparison(
            found,
            lambda run: run.read_history(),
            None if share is None else 1 - share,
        ),
    )
    directory.write_plot("cost", plots.cost(rows))
    against_radius = radius_plot.draw(rows, runs, names)
    if against_radius:
        directory.write_plot("epsilon", against_radius)
    directory.write_page(
        page.page(
            directory.path.name,
            _setting([run.config for run in found], share),
            rows,
            differences,
            names,
            command.repeated(),
            directory.versions,
            page.tuning_part(tried, rows, runs[0].config.seed, objective),
            has_radius_plot=against_radius is not None,
        )
    )
    print(f"\n{page.table(rows, names)}\n")
    calibration = page.calibration_table(rows, names)
    if calibration:
        print(f"{calibration}\n")
    if differences:
        print(f"{page.difference_table(differences)}\n")
    print(page.summary(rows))


def settings(config):
    """Returns what a `ComparisonDirectory` compares, a dict."""
    return {
        **dataclasses.asdict(config),
        "learning_rate": learning_rate(config),
        **network_file.facts(config),
    }


def default_path(config):
    """Returns the folder of a comparison for which none is named."""
    return (
        f"runs/compare-{run_name.of_data(config)}-"
        f"{run_name.of_network(config)}-{config.epochs}epochs"
    )


def _train(directory, runs, devices, should_stop, printer):
    """Trains the runs that have not finished.

    Returns:
        A tuple: dict of the metrics of the finished runs, and dict of why
        others have none, both by `Run`.
    """
    found, missing = {}, {}

    def on_run(run, metrics, reason):
        printer.on_run(run, metrics, reason)
        if metrics:
            found[run] = metrics
        else:
            missing[run] = reason

    try:
        comparison_runs.train_missing(
            runs, devices, printer.callbacks, on_run, should_stop
        )
    except AMPKerasError:
        directory.discard_unless_used()
        raise
    return found, missing


class _Printer:
    """Says which run is trained and what came of it."""

    about = ""

    def __init__(self, runs):
        self._runs = runs

    def callbacks(self, run):
        print(f"{self._heading(run)}: training in {run.path}", flush=True)
        return [] if run.config.verbose else [ProgressLine()]

    def on_run(self, run, metrics, reason):
        result = reason
        if metrics:
            seconds = f"{metrics['seconds']:.0f} s of training"
            result = f"{self._result(metrics)}, {seconds}"
        print(f"{self._heading(run)}: {result}", flush=True)

    def _result(self, metrics):
        return page.of_run(_with_errors(metrics))

    def _heading(self, run):
        number = self._runs.index(run) + 1
        return (
            f"[{self.about}{number}/{len(self._runs)}] {run.method.title}, "
            f"seed {run.config.seed}"
        )


class _TuningPrinter(_Printer):
    """Says what chooses, and nothing of the test set."""

    about = "tuning "

    def _result(self, metrics):
        return (
            f"validation loss {metrics['val_loss']:.4f}, "
            f"accuracy {metrics['val_accuracy']:.4f}"
        )


def _with_errors(metrics):
    """Adds errors, which are more telling than accuracies near 1."""
    errors = {
        f"{prefix}test_error": 1 - metrics[f"{prefix}test_accuracy"]
        for prefix in ("", "last_")
        if f"{prefix}test_accuracy" in metrics
    }
    return {**metrics, **errors}


def _setting(configs, wrong_label_share):
    config = configs[0]
    labels = input_pipeline.sentence_on_labels(
        wrong_label_share, dataclasses.asdict(config)
    )
    sentences = [
        f"{run_name.of_network(config)} on {config.dataset}, "
        f"{config.epochs} epochs, batches of {config.batch_size}",
        labels,
    ]
    if config.validation_split:
        sentences.append(_epoch_that_counts(configs))
    return ". ".join(s[0].upper() + s[1:] for s in sentences if s) + "."


def _epoch_that_counts(configs):
    restores = {config.restore_best_weights for config in configs}
    if restores == {False}:
        return "test metrics are those of the last epoch"
    exception = (
        ", or of the last one for a method with restore_best_weights=False"
        if False in restores
        else ""
    )
    return (
        "test metrics are those of the epoch of lowest validation loss"
        + exception
    )
