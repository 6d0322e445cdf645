"""How a weights file addresses the network: by itself or as a layer."""

import json
import os
import zipfile

import h5py


def is_of_wrapper(filepath, network):
    """Tells whether a file has the network as the one layer of a wrapper.

    That is how Keras lays out the weights of an `AMPModel` in a `.keras` file,
    and how it did in weights files of early versions of amp_keras: in
    `layers/<network>/`, where the file of a plain network begins with its own
    layers.

    Args:
        filepath: Path. What cannot be read is left to Keras to refuse.
        network: The `keras.Model` that the wrapper would have.

    Returns:
        Bool. `True` for the directory of an Orbax checkpoint, which has the
        variables of the model that was trained.
    """
    if os.path.isdir(filepath):
        return True
    groups = _groups_with_variables(str(filepath))
    parts = [group.split("/") for group in groups]
    layers = {_plain(part[1]) for part in parts if part[0] == "layers"}
    name = _plain(type(network).__name__)
    # A network whose one layer is of its own class might be that layer's.
    nested = [_plain(type(layer).__name__) for layer in network.layers]
    return layers == {name} and ("vars" in groups or nested != [name])


def _groups_with_variables(filepath):
    """Returns the paths of the groups of a weights file, as a set."""
    try:
        if filepath.endswith(".weights.json"):
            with open(filepath) as file:
                groups = json.load(file)["weight_map"]
            return {group.strip("/") for group in groups}
        if filepath.endswith(".keras"):
            with zipfile.ZipFile(filepath) as archive:
                with archive.open("model.weights.h5") as file:
                    return _groups_of_h5(file)
        return _groups_of_h5(filepath)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return set()


def _groups_of_h5(file):
    groups = set()

    def add(path, item):
        if isinstance(item, h5py.Dataset):
            groups.add(path.rpartition("/")[0])

    with h5py.File(file, "r") as h5:
        h5.visititems(add)
    return groups


def _plain(name):
    """Returns the name of a class as Keras' snake case leaves it, less `_`."""
    return name.replace("_", "").lower()
