"""All that training changes in a compiled model, by its place in the model.

The place of a variable is its address: the layers that lead to it, each by its
class and its number among those of this class, as in the weights files of
Keras, and its number in the last of them. Names would not do: those of Keras'
own choice differ between two networks that are built in one process.
"""

import collections
import re

import keras

_NETWORK, _OPTIMIZER, _METRICS = "network", "optimizer", "metrics"
_PERTURBATION = "perturbation"


def network_variables(network):
    """Returns the variables of a network, its seed generators' among them.

    Args:
        network: A built `keras.Model`.

    Returns:
        A dict of variables by their addresses.
    """
    found = {}
    _collect(network, _NETWORK, found, set())
    return found


def variables(model):
    """Returns the variables of an `AMPModel`, its optimizer and its metrics.

    Those of the model beside its network are the seed of random perturbations.

    Args:
        model: A compiled `AMPModel` whose optimizer and metrics are built.

    Returns:
        A dict of variables by their addresses.
    """
    of_network = network_variables(model.model)
    return {
        **of_network,
        **_numbered(_PERTURBATION, _own_variables(model, of_network)),
        **_numbered(_OPTIMIZER, model.optimizer.variables),
        **_metrics_variables(model),
    }


def values(variables):
    """Returns arrays for a dict of variables."""
    return {
        address: keras.ops.convert_to_numpy(variable)
        for address, variable in variables.items()
    }


def assign(variables, arrays):
    """Gives variables the values of the same addresses.

    Args:
        variables: Dict of variables.
        arrays: Dict of arrays.

    Raises:
        ValueError: If the two have not the same addresses and shapes.
    """
    wanted = {address: tuple(v.shape) for address, v in variables.items()}
    found = {address: a.shape for address, a in arrays.items()}
    different = [a for a in wanted | found if wanted.get(a) != found.get(a)]
    if different:
        first = different[0]
        raise ValueError(
            f"{first} must be of shape {wanted.get(first)}. "
            f"Received: {found.get(first)}"
        )
    for address, variable in variables.items():
        variable.assign(arrays[address])


def take_back_variables(model):
    """Gives the variables their values, which `fit()` on JAX holds."""
    getattr(model, "jax_state_sync", lambda: None)()


def _collect(layer, address, found, seen):
    """Adds what a layer has: first its layers' variables, then its own."""
    used = collections.Counter()
    for child in layer.layers if isinstance(layer, keras.Model) else ():
        _collect(child, f"{address}/{_name(child, used)}", found, seen)
    own = [v for v in layer.variables if id(v) not in seen]
    for number, variable in enumerate(own):
        found[f"{address}/{number}"] = variable
        seen.add(id(variable))


def _numbered(address, variables):
    return {f"{address}/{number}": v for number, v in enumerate(variables)}


def _own_variables(model, of_network):
    others = {id(v) for v in (*of_network.values(), *model.metrics_variables)}
    return [v for v in model.variables if id(v) not in others]


def _metrics_variables(model):
    used = collections.Counter()
    return {
        f"{_METRICS}/{_name(metric, used)}/{number}": variable
        for metric in model.metrics
        for number, variable in enumerate(metric.variables)
    }


def _name(thing, used):
    """Returns the name of its class, numbered from the second one on."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(thing).__name__).lower()
    used[name] += 1
    return f"{name}_{used[name] - 1}" if used[name] > 1 else name
