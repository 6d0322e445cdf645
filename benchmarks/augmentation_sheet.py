"""Draws docs/augmentation.png: what each augmentation does to training images.

```
python benchmarks/augmentation_sheet.py --output=docs/augmentation.png \
    --data_dir=../shared/data/tensorflow_datasets \
    --manual_dir=../shared/data/gtsrb_archives
```

One row for each dataset and augmentation, made by the pipeline of the app from
the same images in the same order.
"""

import matplotlib.figure
import numpy as np
from absl import app
from absl import flags

from amp_keras import datasets
from amp_keras.datasets import Augmentation

_IMAGES = 10
_DATASETS = (("cifar10", "CIFAR-10 (JPEG copy)", 16), ("gtsrb", "GTSRB", 16))

flags.DEFINE_string("output", "augmentation.png", "The PNG file.")
flags.DEFINE_string("data_dir", None, "As in apps/train.py.")
flags.DEFINE_string("manual_dir", None, "As in apps/train.py.")
flags.DEFINE_string("gtsrb_data_dir", None, "Default: that of --data_dir.")
flags.DEFINE_integer("seed", 0, "Chooses the images and all that is random.")


def rows(data, cutout):
    """Returns a dict of captions and images of one dataset."""
    kinds = {
        "as they are": (0, False, None),
        "crop" + " and flip" * data.flip: (data.padding, data.flip, None),
        f"cutout {cutout}": (0, False, Augmentation(cutout=cutout)),
        "randaugment": (0, False, Augmentation(randaugment=True)),
        "mixup 1.0": (0, False, Augmentation(mixup=1.0)),
        "cutmix 1.0": (0, False, Augmentation(cutmix=1.0)),
    }
    return {
        caption: _first_batch(data, padding, flip, augmentation)
        for caption, (padding, flip, augmentation) in kinds.items()
    }


def _first_batch(data, padding, flip, augmentation):
    batches = datasets.training_batches(
        data.train,
        _IMAGES,
        seed=flags.FLAGS.seed,
        steps=1,
        padding=padding,
        flip=flip,
        augmentation=augmentation,
        num_classes=data.num_classes,
    )
    ((images, _),) = batches.as_numpy_iterator()
    return np.clip(images.round(), 0, 255).astype("uint8")


def draw(sheet, path):
    """Plots a list of (caption, images)."""
    size = (_IMAGES + 3, len(sheet))
    figure = matplotlib.figure.Figure(figsize=size, layout="constrained")
    for axes, (caption, images) in zip(figure.subplots(len(sheet)), sheet):
        axes.imshow(np.hstack(np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))))
        axes.set_axis_off()
        axes.text(
            -0.01,
            0.5,
            caption,
            ha="right",
            va="center",
            size=11,
            transform=axes.transAxes,
        )
    figure.savefig(path, dpi=70)


def main(_):
    sheet = []
    for name, title, cutout in _DATASETS:
        data_dir = flags.FLAGS.data_dir
        if name == "gtsrb":
            data_dir = flags.FLAGS.gtsrb_data_dir or data_dir
        data = datasets.load(name, data_dir, flags.FLAGS.manual_dir)
        title += " (32x32)" * (name == "gtsrb")
        for caption, images in rows(data, cutout).items():
            sheet.append((f"{title}\n{caption}", images))
    draw(sheet, flags.FLAGS.output)


if __name__ == "__main__":
    app.run(main)
