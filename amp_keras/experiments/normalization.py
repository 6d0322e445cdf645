"""The layer by which a network takes raw pixels."""

import keras

from amp_keras import datasets

# The types in the dict of `statistics`.
KINDS = {"mean": list, "variance": list}


def statistics(data):
    """Returns mean and variance of each channel of the training data.

    Args:
        data: An `ImageData`.

    Returns:
        A dict of lists of floats: `mean` and `variance`.
    """
    layer = keras.layers.Normalization()
    batches = datasets.evaluation_batches(data.train, batch_size=1024)
    layer.adapt(batches.map(lambda images, labels: images))
    return {
        variable.name: keras.ops.convert_to_numpy(variable).tolist()
        for variable in layer.variables
        if variable.name in KINDS
    }


def build(image_shape, statistics):
    """Returns the layer as `adapt()` leaves it.

    Args:
        image_shape: Tuple of ints `(height, width, channels)`.
        statistics: Dict, that of `statistics()`.
    """
    layer = keras.layers.Normalization(name="normalization")
    layer.build((None, *image_shape))
    for variable in layer.variables:
        if variable.name in statistics:
            variable.assign(statistics[variable.name])
    layer.finalize_state()
    return layer
