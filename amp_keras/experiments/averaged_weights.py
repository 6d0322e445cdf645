"""A run evaluated at the averages of its weights over its steps.

The optimizer keeps an exponential moving average (EMA) of each trainable
variable. Training goes on at the weights themselves; validation, the choice of
the epoch and the test are of the averages. Batch normalization statistics,
which belong to other weights, are taken anew for them.
"""

import contextlib
import functools

import keras
import numpy as np

from amp_keras.experiments import distribution
from amp_keras.experiments import input_pipeline
from amp_keras.experiments import model_state
from amp_keras.experiments.best_weights import network_values

# As many as give means that are exact enough, and few beside an epoch.
_BATCHES = 20


class AveragedWeights(keras.callbacks.Callback):
    """Puts the averages in the place of the weights for each validation.

    Args:
        config: A `TrainingConfig` with `ema` set.
        data: The `ImageData` that is trained on.
    """

    def __init__(self, config, data):
        super().__init__()
        self._config, self._data = config, data
        self._passes = None

    def on_test_begin(self, logs=None):
        self._own = network_values(self.model)
        self.put(self.model)
        self._evaluated = network_values(self.model)

    def on_test_end(self, logs=None):
        variables = model_state.network_variables(self.model.model)
        model_state.assign(variables, self._own)

    def values(self, model):
        """Returns those of the network that was validated last, by address."""
        return self._evaluated

    def put(self, model):
        """Gives a compiled `AMPModel` the averages and statistics for them."""
        averages = model.optimizer._model_variables_moving_average
        for variable, average in zip(model.trainable_variables, averages):
            # A copy: on JAX a step would consume what the two then share.
            variable.assign(keras.ops.convert_to_numpy(average))
        if self._passes is None:
            self._passes = _TrainingPasses(model.model)
        self._passes.estimate_statistics(self._batches.as_numpy_iterator())

    @functools.cached_property
    def _batches(self):
        """The first batches of the run, which are the same at any time."""
        batches = input_pipeline.training_batches(
            self._config, self._data, distribution.SingleDevice(), start_step=0
        )
        steps_per_epoch = len(self._data.train) // self._config.batch_size
        return batches.take(min(_BATCHES, steps_per_epoch))


class _TrainingPasses(keras.Model):
    """A network as it is called in training, for Keras to compile.

    Args:
        network: The plain network.
    """

    def __init__(self, network):
        super().__init__(name="training_passes")
        self.network = network
        self._normalizations = [
            layer
            for layer in network._flatten_layers()
            if isinstance(layer, keras.layers.BatchNormalization)
        ]

    def call(self, images):
        return self.network(images, training=True)

    def estimate_statistics(self, batches):
        """Makes normalization statistics the means of those of batches."""
        layers = self._normalizations
        statistics = [v for n in layers for v in n.non_trainable_variables]
        if not statistics:
            return
        seen = []
        with _without_memory(layers):
            for images, _ in batches:
                self.predict_on_batch(images)
                seen.append(list(map(keras.ops.convert_to_numpy, statistics)))
        for variable, values in zip(statistics, zip(*seen)):
            variable.assign(np.mean(values, axis=0, dtype="float64"))


@contextlib.contextmanager
def _without_memory(layers):
    """A scope in which the statistics are those of the last batch."""
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta):
            layer.momentum = momentum
