"""The radius that `apps/train.py` takes when `--epsilon` is not given."""

# Chosen on validation data; docs/epsilon.md says how.
_MEASURED = {
    "resnet20": {"global": 0.02, "per_variable": 0.002},
}
_FALLBACK = "resnet20"


def default_epsilon(model, norm):
    """Returns a radius for a network and norm, and where it comes from.

    Args:
        model: String, the name of the network.
        norm: String, `"global"` or `"per_variable"`.

    Returns:
        A tuple: float, and a sentence about it for the person who runs it.
    """
    measured_on = model if model in _MEASURED else _FALLBACK
    epsilon = _MEASURED[measured_on][norm]
    origin = f"the default for {model} and norm={norm}"
    if measured_on != model:
        origin = f"measured on {measured_on}, not on {model}: try others"
    return epsilon, origin
