"""The table of docs/networks.md: networks, parameters, published figures.

```
python scripts/network_table.py
```

It builds every network for 32x32 RGB images and 10 classes and counts.
"""

import _tests_path  # noqa: F401
import keras
import published_networks

from amp_keras import models


def main():
    counts = {}
    for name in models.names():
        network = models.get(name)((32, 32, 3), published_networks.CLASSES)
        counts[name] = published_networks.parameters(network)
        keras.utils.clear_session()
    print("\n".join(published_networks.table(counts)))


if __name__ == "__main__":
    main()
