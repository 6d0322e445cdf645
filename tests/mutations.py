"""Changes that break the method, one at a time.

Some test must notice each; `scripts/run_mutations.py` looks which. The tests
check that the text to be replaced is there.
"""

import pathlib

ROOT = pathlib.Path(__file__).parents[1]
BALL = "amp_keras/perturbation.py"
MODEL = "amp_keras/amp_model.py"
STEP = "amp_keras/trainer.py"
PART = "amp_keras/batch_part.py"
TENSORFLOW = "amp_keras/backend/tensorflow/trainer.py"
SCOPE = "amp_keras/pass_scope.py"
JAX = "amp_keras/backend/jax/trainer.py"
TORCH = "amp_keras/backend/torch/trainer.py"
TORCH_BALL = "amp_keras/backend/torch/perturbation.py"

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
        "return [(batch, repeated)] * self.inner_iters",
        "return [(batch, repeated)]",
    ),
    (
        "no projection",
        STEP,
        "ball.project(ascended, epsilon, self.norm)",
        "ascended",
    ),
    (
        "projection normalizes instead of clipping",
        BALL,
        "ops.minimum(1.0, ops.divide(epsilon, norm))",
        "ops.divide(epsilon, norm)",
    ),
    (
        "ascent gradients not clipped",
        STEP,
        "return self._arithmetic.project(gradients, self.inner_clipnorm)",
        "return gradients",
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
        "        finite = self._all_finite(",
        "        for w, p in zip(self.trainable_weights, perturbation):\n"
        "            w.assign_add(p)\n"
        "        finite = self._all_finite(",
    ),
    (
        "update with the clean gradient",
        BALL,
        "v + ops.cast(p, v.dtype)",
        "v + ops.cast(0 * p, v.dtype)",
    ),
    (
        "batch statistics move in every pass",
        STEP,
        "        return gradients, ops.stop_gradient(loss), y_pred",
        "        with keras.name_scope('again'):\n"
        "            scope.__exit__(None, None, None)\n"
        "            self._forward(*batch)\n"
        "            scope.__enter__()\n"
        "        return gradients, ops.stop_gradient(loss), y_pred",
    ),
    (
        "other noise in the perturbed passes",
        TORCH,
        "            with PassScope(first.start) as scope:",
        "            with PassScope() as scope:",
    ),
    (
        "added losses left out of the perturbed passes",
        SCOPE,
        "values, collect_losses=True",
        "values",
    ),
    (
        "perturbed passes in inference mode",
        STEP,
        "network(x, training=True)",
        "network(x, training=not keras.src.backend.in_stateless_scope())",
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
        "g / ops.cast(scale, g.dtype)",
        "g",
    ),
    (
        "loss scale that is a float left in the ascent",
        STEP,
        "[g / scale for g in gradients]",
        "gradients",
    ),
    (
        "ascent gradients not summed over replicas",
        TENSORFLOW,
        "return _sum_over_replicas(gradients)",
        "return list(gradients)",
    ),
    (
        "own perturbation of a replica too small",
        TENSORFLOW,
        "g * self._num_replicas() for g in gradients",
        "g for g in gradients",
    ),
    (
        "non-finite steps applied",
        STEP,
        "ops.where(finite, g, _without_effect(w, g, fill))",
        "g",
    ),
    (
        "scales of float8 layers zeroed in a step that is not finite",
        STEP,
        "if variable.overwrite_with_gradient:",
        "if False:",
    ),
    (
        "replicas not asked whether theirs is finite",
        "amp_keras/backend/tensorflow/trainer.py",
        '_sum_over_replicas([ops.cast(broken, "float32")])',
        '[ops.cast(broken, "float32")]',
    ),
    (
        "perturbation logged by a pass of its own",
        STEP,
        "            perturbed_loss, gradients = self._perturbed_pass(\n",
        "            if self.log_perturbation:\n"
        "                self._forward(*batch)\n"
        "            perturbed_loss, gradients = self._perturbed_pass(\n",
    ),
    (
        "last gradient not checked",
        STEP,
        "self._all_finite([*perturbation, *gradients])",
        "self._all_finite(perturbation)",
    ),
    (
        "ascent in the dtype of the variables",
        BALL,
        "[ops.cast(t, wide_dtype(t.dtype)) for t in tensors]",
        "list(tensors)",
    ),
    (
        "norms swapped (torch)",
        TORCH_BALL,
        'if norm == "per_variable"',
        'if norm != "per_variable"',
    ),
    (
        "norm of the largest variable only (torch)",
        TORCH_BALL,
        "torch.linalg.vector_norm(torch.stack(norms))",
        "torch.stack(norms).amax()",
    ),
    (
        "squares overflow (torch)",
        TORCH_BALL,
        "largest.clamp(min=_TINY)",
        "torch.ones_like(largest)",
    ),
    (
        "non-finite steps applied (torch)",
        TORCH_BALL,
        "math.isfinite(_norm_of_squares(tensors))",
        "True",
    ),
    (
        "norms of float64 in float32",
        BALL,
        'keras.backend.result_type(*dtypes, "float32")',
        '"float32"',
    ),
    (
        "scales of float8 layers perturbed",
        STEP,
        "_matches(self.perturb, w) and not w.overwrite_with_gradient",
        "_matches(self.perturb, w)",
    ),
    (
        "variables that a layer assigns not noticed",
        STEP,
        "            self._check_unassigned(scope)\n",
        "",
    ),
    (
        "model not built before its variables are listed",
        TENSORFLOW,
        "                self(x)\n            self._has",
        "                pass\n            self._has",
    ),
    (
        "pattern of variables ignored",
        STEP,
        "re.search(perturb, variable.path) is not None",
        "True",
    ),
    (
        "variables left out lose their gradient at the perturbed weights",
        STEP,
        "        self._check_read(gradients, previous_gradients, "
        "(first, scope))",
        "        gradients = [\n"
        "            g if is_in else old\n"
        "            for g, old, is_in in zip(\n"
        "                gradients, previous_gradients, self._is_perturbed()\n"
        "            )\n"
        "        ]",
    ),
    (
        "epsilon built into the compiled step",
        STEP,
        "return ops.convert_to_tensor(self._epsilon.variable)",
        "self._first = getattr(self, '_first', None) or (\n"
        "            self.get_config()['epsilon']\n"
        "        )\n"
        "        return self._first",
    ),
    (
        "step not compiled anew when the perturbation appears",
        STEP,
        "force or self._has_perturbation != self._compiled_perturbation",
        "force",
    ),
    (
        "perturbation's metrics in evaluation",
        STEP,
        "            if name not in self._perturbation_metrics",
        "            if name",
    ),
    (
        "skipped steps poison the perturbation's metrics",
        STEP,
        "            fill = 0.0\n",
        "",
    ),
    (
        "state of the step not put in the place of variables (JAX)",
        JAX,
        "        for variable, value in zip(self._lasting(), self.left):\n"
        "            variable.assign(value)\n",
        "",
    ),
    (
        "optimizer's state lost (JAX)",
        JAX,
        "        for variable, value in zip(optimizer_variables, state):\n"
        "            variable.assign(value)\n",
        "",
    ),
    (
        "perturbation of each replica not refused (JAX)",
        JAX,
        "        self._check_synchronized()\n",
        "",
    ),
    (
        "state not copied before the clean pass changes it (torch)",
        TORCH,
        "v.value.clone()",
        "v.value",
    ),
    (
        "buffers of torch modules changed in every pass (torch)",
        TORCH,
        "                buffer.copy_(value)\n",
        "                pass\n",
    ),
    (
        "state of the clean pass dropped (torch)",
        TORCH,
        "            variable.assign(self.value_of(variable))\n",
        "            pass\n",
    ),
    (
        "unseeded noise drawn anew (torch)",
        TORCH,
        "            _draw_from(first.noise)\n",
        "",
    ),
    (
        "ascent on the first examples instead of every s-th",
        PART,
        "return tensor[::stride]",
        "return tensor[: len(tensor) // stride]",
    ),
    (
        "ascent on the whole batch",
        STEP,
        "        part = batch_part.take(batch, self._inner_stride)",
        "        part = batch",
    ),
    (
        "last pass on the part",
        STEP,
        "+ [(batch, last)]",
        "+ [(part, last)]",
    ),
    (
        "all perturbed passes on the whole batch",
        STEP,
        "[(part, repeated)] * (self",
        "[(batch, repeated)] * (self",
    ),
    (
        "state of the part lasts, that of the batch not (TensorFlow)",
        TENSORFLOW,
        "            if first.has_assigned(variable):\n",
        "            if False:\n",
    ),
    (
        "metrics count the whole batch too (TensorFlow)",
        TENSORFLOW,
        "            if scope.has_assigned(variable):\n",
        "            if False:\n",
    ),
    (
        "metrics count the whole batch too (JAX)",
        JAX,
        "lambda v: not is_number(v)",
        "lambda v: True",
    ),
    (
        "state of the batch is dropped (JAX)",
        JAX,
        "lambda v: not is_number(v)",
        "is_number",
    ),
    (
        "buffers and noise of the part last (torch)",
        TORCH,
        "        with self._put_back():\n            with _LastingScope(",
        "        with contextlib.nullcontext():\n"
        "            with _LastingScope(",
    ),
    (
        "metrics count the whole batch too (torch)",
        TORCH,
        "lambda v: not is_number(v)",
        "lambda v: True",
    ),
]
