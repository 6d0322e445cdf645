"""The comparisons of docs/epsilon.md and docs/results.md, by name.

Each is one command, `apps/compare.py` with the flags below, and goes on where
it was stopped:

```
python scripts/experiments.py                    # what there is
python scripts/experiments.py digits-40-radius   # run that, in runs/
python scripts/experiments.py gate-cifar10n --seeds=1   # only the first seed
```

Environment variables name folders of data: `TFDS`, where CIFAR-10 is;
`CIFAR10_N`, which `prepare_cifar10_n.py` wrote; `GTSRB`, with the archives;
`GTSRB_PREPARED`, where TFDS keeps what it makes of them; and `DIGITS_SPLITS`,
which `scripts/digits_splits.py` wrote. Pages that are copied to `docs/results/`
have these names instead of the folders.
"""

import os
import subprocess
import sys

_REGIME = "--augment=false --epochs=40 --batch_size=64 --verbose=0"
_DIGITS = f"--dataset=digits --validation_split=0.2 {_REGIME}"
_SLICE = f"--max_examples=3600 --validation_split=0.1667 {_REGIME}"
_CIFAR10_N = (
    f"--dataset=cifar10_n --labels=worse_label --data_dir=$CIFAR10_N {_SLICE}"
)
_GTSRB = (
    f"--dataset=gtsrb --manual_dir=$GTSRB --data_dir=$GTSRB_PREPARED {_SLICE}"
)
_SIXTEENTH = "amp:inner_fraction=0.0625"


def _radii(sam, amp, eighth, sixteenth):
    """Returns plain training and four methods with several radii each."""
    by_method = {
        "sam": sam,
        "amp": amp,
        "amp-eighth": eighth,
        _SIXTEENTH: sixteenth,
    }
    methods = [
        f"{method}:epsilon={epsilon:g}"
        for method, radii in by_method.items()
        for epsilon in radii
    ]
    return f"--methods={','.join(['erm', *methods])}"


def _starts(method):
    """Returns plain training and a method that begins after parts of a run."""
    late = [f"{method}:perturb_from={part}" for part in (0.1, 0.25, 0.5, 0.85)]
    return f"--methods={','.join(['erm', method, *late])}"


_OF_WRONG = _radii(
    sam=(0.125, 0.25, 0.5, 1, 2, 4, 8, 16),
    amp=(0.125, 0.25, 0.5, 1, 2, 4, 8, 16),
    eighth=(0.25, 0.5, 1, 2, 4, 8),
    sixteenth=(0.25, 0.5, 1, 2, 4, 8),
)
_OF_RIGHT = _radii(
    sam=(0.05, 0.1, 0.2, 0.5, 1, 2),
    amp=(0.05, 0.1, 0.2, 0.5, 1, 2),
    eighth=(0.1, 0.2, 0.5, 1, 2, 4),
    sixteenth=(0.1, 0.2, 0.5, 1, 2, 4),
)
_SHORT = _radii(
    sam=(), amp=(0.25, 0.5, 1, 2), eighth=(0.5, 1, 2, 4), sixteenth=()
)
_WRONG = "--label_noise=0.4"
_RESNET, _MLP = "--model=resnet8", "--model=mlp"

EXPERIMENTS = {
    # Which radius, for the whole batch, parts of it and SAM.
    "digits-40-radius": f"{_DIGITS} {_RESNET} {_WRONG} --seeds=3 {_OF_WRONG}",
    "digits-0-radius": f"{_DIGITS} {_RESNET} --seeds=3 {_OF_RIGHT}",
    "cifar10n-radius": f"{_CIFAR10_N} {_RESNET} --seeds=2 "
    + _radii(
        sam=(0.1, 0.2, 0.4, 0.8),
        amp=(0.1, 0.2, 0.4, 0.8),
        eighth=(0.2, 0.4, 0.8),
        sixteenth=(0.4, 0.8),
    ),
    "gtsrb-40-radius": f"{_GTSRB} {_RESNET} {_WRONG} --seeds=2 "
    + _radii(
        sam=(0.05, 0.1, 0.2, 0.4),
        amp=(0.05, 0.1, 0.2, 0.4),
        eighth=(0.1, 0.2, 0.4),
        sixteenth=(0.2, 0.4),
    ),
    # How it moves, one thing changed at a time.
    "digits-40-mlp-radius": (f"{_DIGITS} {_MLP} {_WRONG} --seeds=3 {_SHORT}"),
    "digits-40-resnet20": (
        f"{_DIGITS} --model=resnet20 {_WRONG} --seeds=2 {_SHORT}"
    ),
    "digits-40-batch16": (
        f"{_DIGITS} {_RESNET} {_WRONG} --batch_size=16 --seeds=2 {_SHORT}"
    ),
    "digits-40-batch256": (
        f"{_DIGITS} {_RESNET} {_WRONG} --batch_size=256 --seeds=2 {_SHORT}"
    ),
    "digits-40-20epochs": (
        f"{_DIGITS} {_RESNET} {_WRONG} --epochs=20 --seeds=2 {_SHORT}"
    ),
    "digits-40-120epochs": (
        f"{_DIGITS} {_RESNET} {_WRONG} --epochs=120 --seeds=2 {_SHORT},"
        "sam:epsilon=0.5,sam:epsilon=1,sam:epsilon=2,adaptive,adaptive-eighth"
    ),
    "digits-40-adamw-radius": (
        f"{_DIGITS} {_RESNET} {_WRONG} --optimizer=adamw --seeds=2 {_SHORT}"
    ),
    # When to begin, with the ascent normalized.
    "digits-40-late": (
        f"{_DIGITS} {_RESNET} {_WRONG} --seeds=3 {_starts('sam:epsilon=1')}"
    ),
    "digits-0-late": f"{_DIGITS} {_MLP} --seeds=5 {_starts('sam:epsilon=0.5')}",
}

# The picture of the README, on one core, and what the ascent on a part keeps of
# the gain and what it takes, on two; on an idle machine.
EXPERIMENTS |= {
    "wrong-labels": (
        f"--dataset=digits {_RESNET} {_WRONG} --epochs=60 --batch_size=64 "
        "--epsilon=0.5 --seeds=3 "
        "--methods=erm,amp,amp-eighth:epsilon=1,amp-eighth:epsilon=2"
    ),
    "cost": (
        f"--dataset=digits {_RESNET} {_WRONG} {_REGIME} --seeds=3 "
        "--methods=erm,erm-equal-compute,amp:epsilon=0.5,amp:epsilon=1,"
        "amp:inner_fraction=0.25:epsilon=1,amp:inner_fraction=0.25:epsilon=2,"
        "amp-eighth:epsilon=1,amp-eighth:epsilon=2"
    ),
    "cost-digits-40": (
        f"{_DIGITS} {_RESNET} {_WRONG} --seeds=3 "
        "--methods=erm,amp:epsilon=1,amp-eighth:epsilon=4"
    ),
    "cost-digits-0": (
        f"{_DIGITS} {_RESNET} --seeds=3 "
        "--methods=erm,amp:epsilon=0.2,amp-eighth:epsilon=0.5"
    ),
    "cost-cifar10n": (
        f"{_CIFAR10_N} {_RESNET} --seeds=3 --methods=erm,amp-eighth:epsilon=0.4"
    ),
}

_ADAPTIVE = "--methods=erm,adaptive,adaptive-eighth"
EXPERIMENTS |= {
    # The radius during the run: clean data that the network fits,
    "gate-digits-0-resnet8": f"{_DIGITS} {_RESNET} --seeds=5 {_ADAPTIVE}",
    "gate-digits-0-mlp": f"{_DIGITS} {_MLP} --seeds=5 {_ADAPTIVE}",
    "gate-cifar10-0": (
        f"--dataset=cifar10 --data_dir=$TFDS {_SLICE} {_RESNET} "
        "--seeds=5 --methods=erm,adaptive,adaptive-eighth"
    ),
    # short runs that underfit,
    "gate-digits-short-resnet8": (
        f"{_DIGITS} {_RESNET} --augment=true --epochs=5 --seeds=5 {_ADAPTIVE}"
    ),
    "gate-digits-short-mlp": (
        f"{_DIGITS} {_MLP} --augment=true --epochs=5 --seeds=5 {_ADAPTIVE}"
    ),
    "gate-cifar10-short": (
        f"--dataset=cifar10 --data_dir=$TFDS {_SLICE} {_RESNET} "
        "--augment=true --epochs=10 --seeds=5 --methods=erm,adaptive-eighth"
    ),
    # and wrong labels, beside fixed radii.
    "gate-digits-40-resnet8": (
        f"{_DIGITS} {_RESNET} {_WRONG} --seeds=5 {_ADAPTIVE},amp:epsilon=1,"
        "amp:epsilon=2,amp-eighth:epsilon=4,amp-eighth:epsilon=8"
    ),
    "gate-digits-40-mlp": (
        f"{_DIGITS} {_MLP} {_WRONG} --seeds=5 {_ADAPTIVE},amp:epsilon=0.5,"
        "amp:epsilon=1,amp:epsilon=2,amp-eighth:epsilon=0.5,"
        "amp-eighth:epsilon=1,amp-eighth:epsilon=2"
    ),
    "gate-cifar10n": (
        f"{_CIFAR10_N} {_RESNET} --seeds=5 {_ADAPTIVE},amp:epsilon=0.2,"
        "amp-eighth:epsilon=0.4"
    ),
    "gate-gtsrb-40": (
        f"{_GTSRB} {_RESNET} {_WRONG} --seeds=5 {_ADAPTIVE},amp:epsilon=0.1,"
        "amp-eighth:epsilon=0.2"
    ),
}

# The values of each method are chosen by validation accuracy, from three.
_CHOSEN = (
    "--tune_by=val_accuracy --seeds=3 --methods=erm,sam:epsilon={0}|{1}|{2},"
    "amp:epsilon={0}|{1}|{2},amp-eighth:epsilon={1}|{2}|{3},adaptive-eighth"
)
_CHOSEN_OF_WRONG = _CHOSEN.format(0.5, 1, 2, 4)
_CHOSEN_OF_RIGHT = _CHOSEN.format(0.1, 0.2, 0.5, 1)
_RIVALS = (
    ",adaptive,erm-equal-compute,rmp:epsilon={}|{}|{},ema:ema=0.9|0.95|0.99,"
    "label-smoothing:label_smoothing=0.1|0.2|0.4,gce:gce=0.3|0.5|0.7"
)
EXPERIMENTS |= {
    "digits-40": (
        f"{_DIGITS} {_RESNET} {_WRONG} {_CHOSEN_OF_WRONG}"
        f"{_RIVALS.format(0.5, 1, 2)}"
    ),
    "digits-0": f"{_DIGITS} {_RESNET} {_CHOSEN_OF_RIGHT}",
    "digits-20": (f"{_DIGITS} {_RESNET} --label_noise=0.2 {_CHOSEN_OF_WRONG}"),
    "digits-60": (f"{_DIGITS} {_RESNET} --label_noise=0.6 {_CHOSEN_OF_WRONG}"),
    "digits-0-mlp": f"{_DIGITS} {_MLP} {_CHOSEN_OF_RIGHT}",
    "digits-20-mlp": (f"{_DIGITS} {_MLP} --label_noise=0.2 {_CHOSEN_OF_WRONG}"),
    "digits-40-mlp": f"{_DIGITS} {_MLP} {_WRONG} {_CHOSEN_OF_WRONG}",
    "digits-60-mlp": (f"{_DIGITS} {_MLP} --label_noise=0.6 {_CHOSEN_OF_WRONG}"),
    "digits-0-adamw": (
        f"{_DIGITS} {_RESNET} --optimizer=adamw {_CHOSEN_OF_RIGHT}"
    ),
    "digits-40-adamw": (
        f"{_DIGITS} {_RESNET} {_WRONG} --optimizer=adamw {_CHOSEN_OF_WRONG}"
    ),
    "cifar10n": (
        f"{_CIFAR10_N} {_RESNET} {_CHOSEN.format(0.1, 0.2, 0.4, 0.8)}"
        f"{_RIVALS.format(0.1, 0.2, 0.4)}"
    ),
}

# Other labels, augmentation and right labels, with the radii that were best for
# wrong ones.
_AS_THERE = (
    "--seeds=3 --methods=erm,sam:epsilon={0},amp:epsilon={0},"
    "amp-eighth:epsilon={1},adaptive-eighth"
)
EXPERIMENTS |= {
    "cifar10n-random1": (
        f"{_CIFAR10_N} --labels=random_label1 {_RESNET} "
        f"{_AS_THERE.format(0.4, 0.4)}"
    ),
    "cifar10n-augmented": (
        f"{_CIFAR10_N} --augment=true {_RESNET} {_AS_THERE.format(0.4, 0.4)}"
    ),
    "gtsrb-0": f"{_GTSRB} {_RESNET} {_AS_THERE.format(0.1, 0.2)}",
    "gtsrb-40": f"{_GTSRB} {_RESNET} {_WRONG} {_AS_THERE.format(0.1, 0.2)}",
}

# The digits split into training and test data anew, with the radii that were
# chosen on the split of `--dataset=digits`.
EXPERIMENTS |= {
    f"digits-40-split{split}": (
        f"{_DIGITS} --dataset=folder:$DIGITS_SPLITS/{split} {_RESNET} {_WRONG} "
        "--seeds=1 --methods=erm,sam:epsilon=1,amp:epsilon=1,"
        "amp-eighth:epsilon=4,adaptive-eighth"
    )
    for split in range(1, 6)
}


def main(arguments):
    names = [a for a in arguments if not a.startswith("--")]
    further = [a for a in arguments if a.startswith("--")]
    for name in names:
        status = _compare(name, further)
        if status:
            return status
    if not names:
        for name, flags in EXPERIMENTS.items():
            print(f"{name}: {flags}\n")
    return 0


def _compare(name, further):
    flags = os.path.expandvars(EXPERIMENTS[name]).split()
    return subprocess.call(
        [
            sys.executable,
            "apps/compare.py",
            *flags,
            *further,
            f"--output_dir=runs/{name}",
        ]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
