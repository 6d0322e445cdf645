"""`RandomPerturbation`: training at random weights nearby, AMP's control."""

import keras

from amp_keras.amp_model import AMPModel
from amp_keras.perturbation import onto_sphere
from amp_keras.perturbation import wide_dtype


@keras.saving.register_keras_serializable(package="amp_keras")
class RandomPerturbation(AMPModel):
    """Trains a model at weights that are perturbed at random (RMP).

    In each step the perturbation is noise in a random direction, of norm
    `epsilon`. It is what AMP is to be compared with: a perturbation of the same
    size at the cost of plain training, one pass.

    Loss, metrics and state come from that one pass, at the perturbed weights.

    Args:
        model: As in `AMPModel`.
        epsilon: Float >= 0, the norm of the perturbation.
        norm: `"global"` or `"per_variable"`, as in `AMPModel`: one sphere for
            all variables together, or one for each. Defaults to `"global"`.
        perturb: As in `AMPModel`. Defaults to `None`.
        log_perturbation: As in `AMPModel`. Defaults to `False`.
        seed: Integer, the seed of the noise. Defaults to `None`: one that is
            drawn at random.
        name: String, the name of the model. Defaults to `None`.

    Reference:
        Zheng et al., "Regularizing Neural Networks via Adversarial Model
        Perturbation", CVPR 2021, which compares AMP with RMP.
    """

    def __init__(
        self,
        model,
        epsilon,
        norm="global",
        perturb=None,
        log_perturbation=False,
        seed=None,
        name=None,
    ):
        super().__init__(
            model,
            epsilon,
            inner_iters=0,
            norm=norm,
            perturb=perturb,
            log_perturbation=log_perturbation,
            name=name,
        )
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    @property
    def _has_perturbation(self):
        return self.epsilon != 0

    def initial_perturbation(self, variables, epsilon):
        """Returns noise of norm `epsilon`."""
        noise = [
            keras.random.normal(
                v.shape, dtype=wide_dtype(v.dtype), seed=self.seed_generator
            )
            for v in variables
        ]
        return onto_sphere(noise, epsilon, self.norm)

    def get_config(self):
        config = {**super().get_config(), "seed": self.seed}
        for name in (
            "inner_lr",
            "inner_iters",
            "inner_clipnorm",
            "synchronize_perturbation",
            "inner_fraction",
        ):
            del config[name]
        return config
