"""The arrays of a weights file."""

import h5py
import numpy as np


def arrays_of(path):
    """Returns the datasets of an HDF5 file, a dict of arrays by path."""
    arrays = {}

    def add(name, item):
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    with h5py.File(path, "r") as file:
        file.visititems(add)
    return arrays


def assert_same_arrays(path, other):
    arrays, others = arrays_of(path), arrays_of(other)
    assert arrays
    assert arrays.keys() == others.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, others[name], err_msg=name)
