"""Trains a network by Adversarial Model Perturbation, or without it.

```
python apps/train.py --dataset=cifar10 --model=resnet20
python apps/train.py --dataset=cifar10 --model=resnet20 --epsilon=0
```

The second is plain training (ERM), the baseline. Each run leaves a folder with
the trained network, its metrics on the test set, learning curves and the
configuration. `--dataset=digits`, the default, needs no download. A run that
was interrupted or killed goes on when the same command is given again.

On two machines, JAX trains one network on the devices of both:

```
KERAS_BACKEND=jax python apps/train.py --coordinator_address=HOST0:1234 \
    --num_processes=2 --process_id=0    # and --process_id=1 on the other
```
"""

import amp_keras_commands

if __name__ == "__main__":
    amp_keras_commands.train()
