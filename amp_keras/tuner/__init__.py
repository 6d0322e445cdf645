"""Choosing the hyperparameters of AMP with keras-tuner, which it needs."""

from amp_keras import extras

with extras.named("amp_keras.tuner", "tuner"):
    from amp_keras.tuner.amp_space import EPSILONS
    from amp_keras.tuner.hyper_model import AMPHyperModel
    from amp_keras.tuner.oracles import BayesianOracle
    from amp_keras.tuner.oracles import GridOracle
    from amp_keras.tuner.oracles import HalvingOracle
    from amp_keras.tuner.oracles import HyperbandOracle
    from amp_keras.tuner.oracles import RandomOracle

__all__ = [
    "EPSILONS",
    "AMPHyperModel",
    "BayesianOracle",
    "GridOracle",
    "HalvingOracle",
    "HyperbandOracle",
    "RandomOracle",
]
