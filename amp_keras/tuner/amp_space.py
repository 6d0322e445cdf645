"""What of AMP is searched, without a network."""

from amp_keras.batch_part import stride_of
from amp_keras.perturbation import NORMS

# Ten values a decade; 0, plain training, is their limit. A ball for each of T
# variables reaches sqrt(T) times as far as one for all, about 8 in ResNet-20.
_DECADE = (1.0, 1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0, 6.3, 8.0)
_GLOBAL = [
    round(mantissa * 10.0**exponent, 6)
    for exponent in (-3, -2, -1)
    for mantissa in _DECADE
    if 0.002 <= mantissa * 10.0**exponent <= 0.5
]
EPSILONS = {
    "global": [0.0, *_GLOBAL],
    "per_variable": [0.0, *(round(value / 10, 7) for value in _GLOBAL)],
}


class AMPSpace:
    """The arguments of AMP, as hyperparameters of keras-tuner.

    Args:
        epsilon, inner_lr, inner_iters, norm, inner_fraction: As for
            `AMPHyperModel`.
    """

    def __init__(
        self,
        epsilon=None,
        inner_lr=1.0,
        inner_iters=1,
        norm="global",
        inner_fraction=1.0,
    ):
        self.norm = _values("norm", norm)
        for value in self.norm:
            if value not in NORMS:
                raise ValueError(
                    f"`norm` must be one of {NORMS}. Received: norm={value!r}"
                )
        epsilon = EPSILONS if epsilon is None else epsilon
        self.epsilon = {
            value: _with_zero(
                epsilon[value] if isinstance(epsilon, dict) else epsilon
            )
            for value in self.norm
        }
        self.inner_lr = [float(v) for v in _values("inner_lr", inner_lr)]
        self.inner_iters = _values("inner_iters", inner_iters)
        self.inner_fraction = [
            1 / stride_of(v) for v in _values("inner_fraction", inner_fraction)
        ]

    def arguments(self, hp):
        """Returns the arguments of `AMPModel` for a set of hyperparameters.

        Args:
            hp: `keras_tuner.HyperParameters`. What they lack is added.

        Returns:
            A dict: `epsilon`, `inner_lr`, `inner_iters`, `inner_fraction` and
            `norm`.
        """
        if len(self.norm) == 1:
            return self._arguments_of(self.norm[0], hp)
        chosen = hp.Choice("norm", self.norm, ordered=False)
        arguments = {}
        for norm in self.norm:
            with hp.conditional_scope("norm", [norm]):
                arguments[norm] = self._arguments_of(norm, hp)
        return arguments[chosen]

    def _arguments_of(self, norm, hp):
        values = self.epsilon[norm]
        if norm != self.norm[0]:
            # Without perturbation the norms are the same.
            values = values[1:]
        return {
            "epsilon": hp.Choice(self._name("epsilon", norm), values),
            "inner_lr": self._choose_where_perturbed(hp, "inner_lr", norm),
            "inner_iters": self._choose_where_perturbed(
                hp, "inner_iters", norm
            ),
            "inner_fraction": self._choose_where_perturbed(
                hp, "inner_fraction", norm
            ),
            "norm": norm,
        }

    def _name(self, name, norm):
        # keras-tuner drops the value of a name that also belongs to an
        # inactive hyperparameter.
        return name if len(self.norm) == 1 else f"{name}_{norm}"

    def _choose_where_perturbed(self, hp, name, norm):
        values = getattr(self, name)
        if len(values) == 1:
            return values[0]
        value = hp.Choice(
            self._name(name, norm),
            sorted(values),
            default=values[0],
            parent_name=self._name("epsilon", norm),
            parent_values=self.epsilon[norm][1:],
        )
        return values[0] if value is None else value


def _values(name, value):
    values = list(value) if isinstance(value, list | tuple) else [value]
    if not values:
        raise ValueError(
            f"`{name}` must be a value or a list of values. "
            f"Received: {name}={value!r}"
        )
    return values


def _with_zero(epsilon):
    values = sorted({0.0, *(float(v) for v in _values("epsilon", epsilon))})
    if len(values) == 1 or values[0] < 0:
        raise ValueError(
            "`epsilon` must be a list of floats >= 0, one of them positive. "
            f"Received: epsilon={epsilon!r}"
        )
    return values
