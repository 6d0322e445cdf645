from amp_keras.experiments.config import TrainingConfig
from amp_keras.experiments.passes import passes


def of(first=0, last=None, **changes):
    return passes(TrainingConfig(epochs=10, **changes), first, last)


def test_passes_of_a_run():
    assert of(epsilon=0.0) == 10
    assert of(epsilon=0.5) == 20
    assert of(epsilon=0.5, inner_iters=3) == 40
    assert of(epsilon=0.5, inner_fraction=1 / 8) == 11.25
    assert of(epsilon=0.5, inner_iters=2, inner_fraction=1 / 4) == 15
    assert of(epsilon=0.5, inner_iters=2, perturb_from=0.7) == 16
    assert of(epsilon=0.5, perturbation="random") == 10


def test_passes_of_a_part_of_a_run():
    assert of(2, 5, epsilon=0.0) == 3
    assert of(2, 5, epsilon=0.5, inner_fraction=1 / 2) == 4.5
    assert of(2, 5, epsilon=0.5, perturbation="random") == 3
    # Epochs 4 to 9 are perturbed.
    assert of(2, 5, epsilon=0.5, perturb_from=0.4) == 4
    assert of(5, 10, epsilon=0.5, perturb_from=0.4) == 10
    assert of(0, 3, epsilon=0.5, perturb_from=0.4) == 3
