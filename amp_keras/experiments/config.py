"""What a run is made of."""

import dataclasses


@dataclasses.dataclass
class TrainingConfig:
    """What a run is made of. The command line has a flag for each field.

    `epsilon=None` and `learning_rate=None` stand for the defaults that
    `defaults.resolved` puts there.
    """

    dataset: str = "digits"
    image_size: int | None = None
    labels: str | None = None
    max_examples: int | None = None
    label_noise: float = 0.0
    label_noise_kind: str = "symmetric"
    model: str = "resnet20"
    perturbation: str = "adversarial"
    epsilon: float | None = None
    adapt_epsilon: bool = False
    inner_lr: float = 1.0
    inner_iters: int = 1
    inner_fraction: float = 1.0
    perturb_from: float = 0.0
    norm: str = "global"
    perturb: str | None = None
    log_perturbation: bool = False
    epochs: int = 30
    batch_size: int = 128
    optimizer: str = "sgd"
    learning_rate: float | None = None
    milestones: str | None = None
    warmup_epochs: float = 1.0
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    l2: float = 0.0
    clipnorm: float | None = None
    ema: float = 0.0
    augment: bool = True
    crop: int | None = None
    flip: bool | None = None
    cutout: int = 0
    randaugment: bool = False
    mixup: float = 0.0
    cutmix: float = 0.0
    label_smoothing: float = 0.0
    gce: float = 0.0
    seed: int = 0
    train_examples: int | None = None
    validation_split: float = 0.0
    restore_best_weights: bool = True
    data_dir: str | None = None
    manual_dir: str | None = None
    jit_compile: str = "auto"
    distribution: str = "auto"
    verbose: int = 1
