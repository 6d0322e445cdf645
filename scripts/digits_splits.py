"""Splits scikit-learn's digits anew, as folders of images.

```
python scripts/digits_splits.py runs/digits_splits
DIGITS_SPLITS=runs/digits_splits python scripts/experiments.py digits-40-split1
```

`--dataset=digits` always has the same 360 test images. Here each of five
folders has others, stratified too, to tell what of a difference is of them.
"""

import pathlib
import sys

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

_TEST_EXAMPLES = 360
_SPLITS = range(1, 6)
# 0 to 16 in the data, 0 to 255 in the files.
_SCALE = 15


def main(folder):
    digits = load_digits()
    for seed in _SPLITS:
        train, test = train_test_split(
            range(len(digits.target)),
            test_size=_TEST_EXAMPLES,
            stratify=digits.target,
            random_state=seed,
        )
        path = pathlib.Path(folder, str(seed))
        _write(path / "train", digits, train)
        _write(path / "test", digits, test)


def _write(folder, digits, indices):
    for index in indices:
        path = folder / str(digits.target[index]) / f"{index:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = digits.images[index][..., None] * _SCALE
        keras.utils.save_img(path, image, scale=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
