"""The networks' parameters: the published figures and the papers' tables.

`COUNTS` derives the numbers for 32x32 RGB images and 10 classes from the
papers' tables, without the package.
"""

import math

from amp_keras.experiments import markdown

HE = "He et al., CVPR 2016, table 6"
FORK = "a fork of kuangliu/pytorch-cifar"
PYRAMID = "Han et al., CVPR 2017, table 4"
ZAGORUYKO = "Zagoruyko and Komodakis, BMVC 2016, table 4"

# Name: millions of parameters as published, where.
PUBLISHED = {
    "mlp": None,
    # Of this depth there are several networks, and no table has this one.
    "resnet8": None,
    "resnet20": ("0.27", HE),
    "resnet32": ("0.46", HE),
    "resnet44": ("0.66", HE),
    "resnet56": ("0.85", HE),
    "resnet110": ("1.7", HE),
    "preactresnet18": ("11.17", FORK),
    "preactresnet34": ("21.28", FORK),
    "preactresnet50": ("23.51", FORK),
    "preactresnet101": ("42.50", FORK),
    "preactresnet152": ("58.14", FORK),
    "vgg11": ("9.23", FORK),
    "vgg13": ("9.42", FORK),
    "vgg16": ("14.73", FORK),
    "vgg19": ("20.04", FORK),
    "wrn28_2": ("1.5", "Oliver et al., NeurIPS 2018, section 4"),
    "wrn28_10": ("36.5", ZAGORUYKO),
    "pyramidnet110_48": ("1.7", PYRAMID),
    "pyramidnet110_84": ("3.8", PYRAMID),
    "pyramidnet110_270": ("28.3", PYRAMID),
    "pyramidnet164_48": ("1.7", "Han et al., CVPR 2017"),
    "pyramidnet164_270": ("27.0", PYRAMID),
}

CLASSES = 10


def dense(features):
    return features * CLASSES + CLASSES


def resnet(n):
    """Table 6: 2n convolutions of 3x3 at each of three widths."""
    convolutions = 9 * (
        3 * 16
        + 2 * n * 16 * 16
        + (16 * 32 + (2 * n - 1) * 32 * 32)
        + (32 * 64 + (2 * n - 1) * 64 * 64)
    )
    return convolutions + 2 * ((2 * n + 1) * 16 + 2 * n * (32 + 64)) + dense(64)


def preact(first, widths, blocks):
    """Blocks of two 3x3 convolutions; a projection where the width changes."""
    before = [first, *widths]
    total = 9 * 3 * first + 2 * widths[-1] + dense(widths[-1])
    for c, w, n in zip(before, widths, blocks):
        total += 9 * (c * w + (2 * n - 1) * w * w) + 2 * (c + (2 * n - 1) * w)
        total += c * w if c != w else 0
    return total


def preact_bottleneck(blocks):
    """Convolutions of 1x1, 3x3 and 1x1, the last four times as wide."""
    total = 9 * 3 * 64 + 2 * 2048 + dense(2048)
    for c, w, n in zip((64, 256, 512, 1024), (64, 128, 256, 512), blocks):
        total += c * w + 13 * w * w + c * 4 * w + 2 * (c + 2 * w)
        total += (n - 1) * (17 * w * w + 2 * 6 * w)
    return total


def vgg(*widths):
    """Columns A, B, D and E of table 1, and one dense layer."""
    pairs = zip((3, *widths), widths)
    return sum(9 * a * b + 2 * b for a, b in pairs) + dense(512)


def pyramid(alpha, units):
    """Equation 3: the number of filters grows by alpha / units each time."""
    d = [round(16 + alpha * k / units) for k in range(units + 1)]
    blocks = sum(
        9 * (a * b + b * b) + 2 * (a + 2 * b) for a, b in zip(d, d[1:])
    )
    return 9 * 3 * 16 + 2 * 16 + blocks + 2 * d[-1] + dense(d[-1])


def pyramid_bottleneck(alpha, units):
    d = [round(16 + alpha * k / units) for k in range(units + 1)]
    inputs = [16] + [4 * width for width in d[1:]]
    blocks = sum(
        a * b + 9 * b * b + 4 * b * b + 2 * (a + 2 * b + 4 * b)
        for a, b in zip(inputs, d[1:])
    )
    return 9 * 3 * 16 + 2 * 16 + blocks + 2 * inputs[-1] + dense(inputs[-1])


A = (64, 128) + 2 * (256,) + 4 * (512,)
B = 2 * (64,) + 2 * (128,) + 2 * (256,) + 4 * (512,)
D = 2 * (64,) + 2 * (128,) + 3 * (256,) + 6 * (512,)
E = 2 * (64,) + 2 * (128,) + 4 * (256,) + 8 * (512,)

COUNTS = {
    "mlp": 32 * 32 * 3 * 128 + 128 + 128 * 128 + 128 + dense(128),
    "resnet8": resnet(1),
    "resnet20": resnet(3),
    "resnet32": resnet(5),
    "resnet44": resnet(7),
    "resnet56": resnet(9),
    "resnet110": resnet(18),
    "preactresnet18": preact(64, (64, 128, 256, 512), (2, 2, 2, 2)),
    "preactresnet34": preact(64, (64, 128, 256, 512), (3, 4, 6, 3)),
    "preactresnet50": preact_bottleneck((3, 4, 6, 3)),
    "preactresnet101": preact_bottleneck((3, 4, 23, 3)),
    "preactresnet152": preact_bottleneck((3, 8, 36, 3)),
    "vgg11": vgg(*A),
    "vgg13": vgg(*B),
    "vgg16": vgg(*D),
    "vgg19": vgg(*E),
    "wrn28_2": preact(16, (32, 64, 128), (4, 4, 4)),
    "wrn28_10": preact(16, (160, 320, 640), (4, 4, 4)),
    "pyramidnet110_48": pyramid(48, 54),
    "pyramidnet110_84": pyramid(84, 54),
    "pyramidnet110_270": pyramid(270, 54),
    "pyramidnet164_48": pyramid_bottleneck(48, 54),
    "pyramidnet164_270": pyramid_bottleneck(270, 54),
}


def parameters(network):
    return sum(math.prod(w.shape) for w in network.trainable_weights)


def table(counts):
    """Returns the lines of the table for a dict of names and counts."""
    rows = []
    for name, count in counts.items():
        published, source = PUBLISHED[name] or ("-", "-")
        published = published if source == "-" else f"{published}M"
        rows.append([f"`{name}`", f"{count:,}", published, source])
    columns = ["network", "parameters", "published", "source"]
    return markdown.table(columns, rows).splitlines()
