"""Evaluating networks, step by step, so that it can be gone on with."""

import dataclasses
import functools

from amp_keras.experiments import classification
from amp_keras.experiments import evaluated_network
from amp_keras.experiments import geometry
from amp_keras.experiments.checkpoint_callback import Interrupted

CURVATURE = {"eigenvalues": geometry.eigenvalues, "trace": geometry.trace}
LANDSCAPE = {
    "amp": geometry.along("amp"),
    "gradient": geometry.along("gradient"),
    "random": geometry.along("random"),
    "line": geometry.line,
    "plane": geometry.plane,
}


@dataclasses.dataclass
class EvaluationOptions:
    """How networks are evaluated. The command line has a flag for each field.

    Attributes:
        batch_size: Int.
        bins: Int, of the reliability diagram and the calibration errors.
        curvature: Bool, whether eigenvalues and trace are computed.
        landscape: Bool, whether losses around the weights are.
        examples: Int, the training examples that both see.
        eigenvalues: Int, how many.
        trace_samples: Int, the probes of the trace.
        radii: Tuple of floats.
        slice_points: Int, the points of a slice along a line.
        plane_points: Int, the points of each axis of one along a plane.
        seed: Int.
        verbose: Int, 0 or 1.
    """

    batch_size: int = 128
    bins: int = 15
    curvature: bool = False
    landscape: bool = False
    examples: int = 1024
    eigenvalues: int = 3
    trace_samples: int = 10
    radii: tuple = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
    slice_points: int = 21
    plane_points: int = 11
    seed: int = 0
    verbose: int = 1

    def steps(self):
        """Returns the functions of a surface that are asked for, by name."""
        steps = {}
        if self.curvature:
            steps.update(CURVATURE)
        if self.landscape:
            steps.update(LANDSCAPE)
        return steps


def evaluate_networks(networks, options, directory, should_stop=lambda: False):
    """Evaluates networks and writes the folder.

    What an earlier command has found is not computed again.

    Args:
        networks: List of `EvaluatedNetwork`.
        options: `EvaluationOptions`.
        directory: An `EvaluationDirectory` for them.
        should_stop: Function that is called after each step and returns
            whether to stop. Defaults to one that returns `False`.

    Returns:
        The dict that is written to `evaluation.json`.

    Raises:
        AMPKerasError: If a file is no network, or not one for the dataset, the
            dataset cannot be loaded, or a file cannot be written.
        Interrupted: If `should_stop` said so; what was found is saved then.
    """
    directory.write_config()
    results = directory.results
    for network in networks:
        found = results.setdefault(network.name, {})
        evaluation = _Evaluation(network, options)
        for name, compute in evaluation.steps().items():
            if name in found:
                continue
            if options.verbose:
                print(f"{network.name}: {name}", flush=True)
            found[name] = compute()
            directory.write_results(results)
            if should_stop():
                raise Interrupted
    directory.write_report(results)
    return directory.results


class _Evaluation:
    """Loads the network and its data once something is left to compute."""

    def __init__(self, network, options):
        self._network = network
        self._options = options

    def steps(self):
        """Returns functions without arguments, by name."""
        steps = {"predictions": self._predictions}
        for name, compute in self._options.steps().items():
            steps[name] = functools.partial(self._on_surface, compute)
        return steps

    @functools.cached_property
    def _loaded(self):
        data, model = self._network.load_data(), self._network.load()
        self._network.check_fits(model, data)
        return model, data

    @functools.cached_property
    def _surface(self):
        model, data = self._loaded
        _, from_logits = self._predict(data.test.take(slice(1)))
        return geometry.surface_of(
            model, from_logits, data.train, self._options
        )

    def _on_surface(self, compute):
        return compute(self._surface, self._options)

    def _predictions(self):
        _, data = self._loaded
        validation, wrong = None, None
        if data.validation:
            wrong = data.validation.wrong_share
            predicted, _ = self._predict(data.validation)
            validation = data.validation.labels, predicted
        predicted, _ = self._predict(data.test)
        report = classification.report(
            data.test.labels,
            predicted,
            data.class_names,
            validation,
            self._options.bins,
        )
        return {**report, "wrong_validation_labels": wrong}

    def _predict(self, split):
        return evaluated_network.log_probabilities(
            self._loaded[0], split.images, self._options.batch_size
        )
