"""Breaks the method one line at a time and prints the test that notices.

```
python tests/mutations.py            # all of them, about a quarter of an hour
python tests/mutations.py ascent     # those with "ascent" in their name
```

Each change is made to a copy of the project in a temporary folder. The exit
code is 1 if a broken method passes the tests.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[1]
TESTS = (
    "tests/train_step_test.py",
    "tests/plain_fit_test.py",
    "tests/precision_test.py",
    "tests/any_model_test.py",
    "tests/amp_model_test.py",
)
BALL = "amp_keras/perturbation.py"
STEP = "amp_keras/backend/tensorflow/trainer.py"

# Name, file, text that occurs there once, text to put in its place.
MUTATIONS = [
    (
        "no ascent",
        BALL,
        "p + inner_lr * ops.cast(g, p.dtype)",
        "p",
    ),
    (
        "ascent with the wrong sign",
        BALL,
        "p + inner_lr * ops.cast(g, p.dtype)",
        "p - inner_lr * ops.cast(g, p.dtype)",
    ),
    (
        "one ascent only",
        STEP,
        "range(self.inner_iters)",
        "range(1)",
    ),
    (
        "no projection",
        STEP,
        "project(perturbation, self.epsilon, self.norm)",
        "perturbation",
    ),
    (
        "projection normalizes instead of clipping",
        BALL,
        "ops.minimum(1.0, epsilon / ops.maximum(l2_norm(tensors), _TINY))",
        "epsilon / ops.maximum(l2_norm(tensors), _TINY)",
    ),
    (
        "norms swapped",
        BALL,
        'if norm == "per_variable"',
        'if norm != "per_variable"',
    ),
    (
        "update at the perturbed weights",
        STEP,
        "        finite = _all_finite(",
        "        for w, p in zip(self.trainable_weights, perturbation):\n"
        "            w.assign_add(p)\n"
        "        finite = _all_finite(",
    ),
    (
        "update with the clean gradient",
        STEP,
        "w + tf.cast(p, w.dtype)",
        "w + tf.cast(0 * p, w.dtype)",
    ),
    (
        "batch statistics move in every pass",
        STEP,
        "        return tape.gradient(scaled_loss, weights)",
        "        self._forward(*batch)\n"
        "        return tape.gradient(scaled_loss, weights)",
    ),
    (
        "other noise in the perturbed passes",
        STEP,
        "[*zip(self.trainable_weights, weights), *state]",
        "[*zip(self.trainable_weights, weights)]",
    ),
    (
        "added losses left out of the perturbed passes",
        STEP,
        "substitution, collect_losses=True",
        "substitution",
    ),
    (
        "perturbed passes in inference mode",
        STEP,
        "                loss, _ = self._forward(*batch)",
        "                x, y, weight = batch\n"
        "                y_pred = self(x, training=False)\n"
        "                loss = self._compute_loss(x, y, y_pred, weight)",
    ),
    (
        "sample weights left out",
        STEP,
        "            sample_weight=sample_weight,\n            training=True",
        "            sample_weight=None,\n            training=True",
    ),
    (
        "another loss reported",
        STEP,
        "self._track_loss(loss, x, finite)",
        "self._track_loss(loss + 1e-3, x, finite)",
    ),
    (
        "loss scale left in the ascent",
        STEP,
        "g / tf.cast(scale, g.dtype)",
        "g",
    ),
    (
        "ascent gradients not summed over replicas",
        STEP,
        "gradients = _sum_over_replicas(gradients)",
        "gradients = list(gradients)",
    ),
    (
        "non-finite steps applied",
        STEP,
        "[_where(finite, g, fill) for g in gradients]",
        "list(gradients)",
    ),
    (
        "last gradient not checked",
        STEP,
        "_all_finite([*perturbation, *gradients])",
        "_all_finite(perturbation)",
    ),
    (
        "ascent in the dtype of the variables",
        STEP,
        'keras.backend.result_type(variable.dtype, "float32")',
        "variable.dtype",
    ),
    (
        "scales of float8 layers perturbed",
        STEP,
        "if g is None or w.overwrite_with_gradient",
        "if g is None",
    ),
    (
        "variables that a layer assigns not noticed",
        STEP,
        "        self._check_unassigned(scope, weights)\n",
        "",
    ),
    (
        "model not built before its variables are listed",
        STEP,
        "                self(x)\n            self._has",
        "                pass\n            self._has",
    ),
]


def first_failure(file, old, new):
    """Returns the test that fails after the change, or `None`."""
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder)
        for part in ("amp_keras", "apps", "tests"):
            shutil.copytree(ROOT / part, copy / part)
        shutil.copy(ROOT / "setup.cfg", copy)
        text = (copy / file).read_text()
        (copy / file).write_text(text.replace(old, new))
        result = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "--tb=no", *TESTS],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": folder},
            capture_output=True,
            text=True,
        )
    for line in result.stdout.splitlines():
        if line.startswith(("FAILED", "ERROR")):
            return line.split(" - ")[0]
    return None


def main(words):
    survived = 0
    for name, *change in MUTATIONS:
        if all(word in name for word in words):
            failure = first_failure(*change)
            survived += failure is None
            print(f"{name}: {failure or 'NOT NOTICED'}", flush=True)
    return survived > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
