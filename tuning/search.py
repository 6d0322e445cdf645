"""Searches for epsilon, and more, with keras-tuner.

```
python tuning/search.py --dataset=cifar10 --model=resnet20
python tuning/search.py --dataset=digits --model=resnet20 --max_trials=8
```

Trials are compared on a validation split of the training data, and plain
training, epsilon=0, is the first of them. The test set is looked at once, at
the end, by the chosen configuration and plain training. A search that was
stopped goes on when the same command is run again.

Several processes or machines share a search:

```
python tuning/search.py --chief=HOST:1234 ...             # hands out trials
python tuning/search.py --chief=HOST:1234 --worker=0 ...  # runs them
python tuning/search.py --chief=HOST:1234 --worker=1 ...
```
"""

import amp_keras_commands

if __name__ == "__main__":
    amp_keras_commands.search()
