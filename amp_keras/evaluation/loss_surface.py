"""A loss over a whole data set, as a function of a model's weights."""

import dataclasses
import itertools
import re

import keras
import numpy as np

_BACKEND = keras.config.backend()
if _BACKEND == "tensorflow":
    from amp_keras.backend.tensorflow import gradients
elif _BACKEND == "jax":
    from amp_keras.backend.jax import gradients
else:
    from amp_keras.backend.torch import gradients


@dataclasses.dataclass(frozen=True)
class Losses:
    """A loss without and with the regularizers.

    Attributes:
        data: Float, the loss that was given.
        total: Float, `data` and the model's `losses`: those of regularizers and
            of `add_loss()`.
    """

    data: float
    total: float


class LossSurface:
    """A loss over a whole data set, as a function of a model's weights.

    Loss, gradient and Hessian-vector product are means over all examples, in
    inference mode: without dropout, and with the moving statistics of batch
    normalization. Weights, gradients and vectors are flat float64 arrays of
    NumPy; a batch is computed in the dtypes of the model, on its backend, and
    summed in float64.

    The model is left as it was: other weights are put in the place of its own
    for the time of a computation, and none are assigned.

    Example:

    ```python
    surface = LossSurface(model, (x_test, y_test))
    surface.losses()
    eigenvalues(surface, count=5)
    loss_against_radius(surface, [0.1, 0.2, 0.5])
    ```

    Args:
        model: A built `keras.Model`, with any number of inputs and outputs.
        data: A tuple of arrays `(x, y)` or `(x, y, sample_weight)`, where each
            may be a list or a dict of arrays; or a `keras.utils.PyDataset`, a
            `tf.data.Dataset` or any other that gives such batches each time it
            is iterated over.
        loss: What `compile()` takes: a Keras loss, a function, a name, or a
            structure of them for several outputs. Defaults to `None`: the loss,
            with its weights, that the model is compiled with.
        batch_size: Int, the examples of a batch of arrays. Defaults to `128`.
        max_batches: Int, the batches of `data` that are used, the first ones.
            Defaults to `None`: all.
        variables: Which of the trainable variables are the weights: a function
            of a `keras.Variable` that returns a bool, a regular expression to
            be found in its `path`, or a list of variables. The others stay as
            they are. Defaults to `None`: all of them.
        regularized: Bool, whether gradients and Hessian-vector products are
            those of the loss with the model's regularizers. `losses()` has
            both. Defaults to `False`.
        verbose: `0` or `1`, whether functions that take long show a progress
            bar. Defaults to `0`.

    Attributes:
        variables: List of the variables that are the weights.
        weights: Flat float64 array, a copy of their values.
        weights_norm: Float, its L2 norm.

    Raises:
        ValueError: If an argument is not of the kind described above.
    """

    def __init__(
        self,
        model,
        data,
        loss=None,
        batch_size=128,
        max_batches=None,
        variables=None,
        regularized=False,
        verbose=0,
    ):
        if not isinstance(model, keras.Model) or not model.built:
            raise ValueError(
                "`model` must be a `keras.Model` that is built. "
                f"Received: model={model!r} (of type {type(model)})"
            )
        self.model = model
        self.regularized = regularized
        self.verbose = verbose
        self.variables = _selected(model, variables)
        self._batches = _Batches(data, batch_size, max_batches)
        self._state = _other_variables(model, self.variables)
        self._loss = self._build_loss(loss)
        self._losses = gradients.compiled(self._losses_of_batch)
        self._gradients = gradients.compiled(self._gradients_of_batch)
        self._products = gradients.compiled(self._products_of_batch)

    @property
    def weights(self):
        return _flatten([v.value for v in self.variables])

    @property
    def weights_norm(self):
        return float(np.linalg.norm(self.weights))

    def losses(self, weights=None):
        """Returns the `Losses` at flat `weights`; `None`: the model's own."""
        sums = self._mean_over_batches(self._losses, self._tensors(weights))
        return Losses(*map(float, sums))

    def gradient(self, weights=None):
        """Returns the gradient at flat `weights`; `None`: the model's own."""
        return self._mean_over_batches(self._gradients, self._tensors(weights))

    def hessian_vector_product(self, vector, weights=None):
        """Returns the Hessian at flat `weights` times a flat vector.

        Args:
            vector: Array of the shape of `weights`.
            weights: Flat array. Defaults to `None`: the model's own weights.

        Returns:
            Float64 array of the same shape.

        Raises:
            NotImplementedError: If an operation of the model or the loss has no
                second derivative; it is named.
        """
        return self._mean_over_batches(
            self._products, self._tensors(weights), self._tensors(vector)
        )

    def split(self, flat):
        """Returns the parts of a flat array, in the variables' shapes."""
        sizes = [int(np.prod(v.shape)) for v in self.variables]
        parts = np.split(flat, np.cumsum(sizes)[:-1])
        return [p.reshape(v.shape) for p, v in zip(parts, self.variables)]

    def progress(self, steps):
        """Returns a function to be called after each of `steps` steps.

        It takes whether that step was the last one, if it ends early.
        """
        if not self.verbose:
            return lambda last=False: None
        bar, numbers = keras.utils.Progbar(steps), itertools.count(1)
        return lambda last=False: bar.update(
            next(numbers), finalize=last or None
        )

    def _mean_over_batches(self, function, *tensors):
        """Returns the mean over examples of a function of batches."""
        state = [keras.ops.convert_to_tensor(v.value) for v in self._state]
        total, examples = 0.0, 0
        for batch in self._batches:
            size = _batch_size(batch)
            total = total + size * _flatten(function(*tensors, state, batch))
            examples += size
        return total / examples

    def _losses_of_batch(self, weights, state, batch):
        data, others = self._forward(weights, state, batch)
        return [data, data + others]

    def _gradients_of_batch(self, weights, state, batch):
        def function(weights):
            return self._differentiated(weights, state, batch), ()

        found, _ = gradients.differentiate(function, weights)
        return [
            keras.ops.zeros_like(w) if g is None else g
            for w, g in zip(weights, found)
        ]

    def _products_of_batch(self, weights, vector, state, batch):
        return gradients.hessian_vector_product(
            lambda weights: self._differentiated(weights, state, batch),
            weights,
            vector,
        )

    def _differentiated(self, weights, state, batch):
        data, others = self._forward(weights, state, batch)
        return data + others if self.regularized else data

    def _forward(self, weights, state, batch):
        """Returns the data loss and that of regularizers and `add_loss()`."""
        x, y, sample_weight = batch
        substitution = [*zip(self.variables, weights), *zip(self._state, state)]
        with keras.StatelessScope(substitution, collect_losses=True):
            outputs = _call(self.model, x)
            data = self._loss.compute_loss(
                y=y, y_pred=outputs, sample_weight=sample_weight
            )
            others = [keras.ops.sum(loss) for loss in self.model.losses]
        data = keras.ops.convert_to_tensor(data)
        total = sum((keras.ops.cast(o, data.dtype) for o in others), 0.0)
        return data, total

    def _build_loss(self, loss):
        """Returns a model without layers that computes the loss.

        Keras' own `compute_loss()` knows what to do with several outputs.
        """
        weights = None
        if loss is None:
            loss, weights = _compiled_loss(self.model)
        model = _LossOnly(getattr(self.model, "output_names", None))
        model.compile(loss=loss, loss_weights=weights)
        x, y, sample_weight = next(iter(self._batches), (None,) * 3)
        if x is None:
            raise ValueError("`data` must have at least one batch.")
        with keras.StatelessScope():
            outputs = _call(self.model, x)
        # What it tracks is created here, where it is not within a scope.
        model.compute_loss(y=y, y_pred=outputs, sample_weight=sample_weight)
        return model

    def _tensors(self, flat):
        """Returns a flat array as tensors of the variables' dtypes."""
        if flat is None:
            return [
                keras.ops.convert_to_tensor(v.value) for v in self.variables
            ]
        flat = np.asarray(flat, "float64")
        return [
            keras.ops.convert_to_tensor(part, v.dtype)
            for part, v in zip(self.split(flat), self.variables)
        ]


class _LossOnly(keras.Model):
    def __init__(self, output_names):
        super().__init__()
        if output_names is not None:
            self.output_names = output_names


class _Batches:
    """Batches `(x, y, sample_weight)` of tensors, each time anew."""

    def __init__(self, data, batch_size, max_batches):
        self.data = data
        self.batch_size = batch_size
        self.max_batches = max_batches
        if isinstance(data, tuple):
            _check_arrays(data)
        elif iter(data) is data:
            raise ValueError(
                "`data` must give its batches each time it is iterated over. "
                f"Received: data={data!r}, an iterator"
            )

    def __iter__(self):
        for number, batch in enumerate(self._raw()):
            if number == self.max_batches:
                return
            batch = keras.utils.unpack_x_y_sample_weight(batch)
            yield keras.tree.map_structure(_to_tensor, batch)

    def _raw(self):
        if isinstance(self.data, tuple):
            return self._slices()
        if isinstance(self.data, keras.utils.PyDataset):
            batches = self.data.num_batches
            numbers = itertools.count() if batches is None else range(batches)
            return map(self.data.__getitem__, numbers)
        return iter(self.data)

    def _slices(self):
        examples = _batch_size(self.data)
        for start in range(0, examples, self.batch_size):
            part = slice(start, start + self.batch_size)
            yield keras.tree.map_structure(
                lambda array: None if array is None else array[part], self.data
            )


def _call(model, x):
    if model._call_has_training_arg:
        return model(x, training=False)
    return model(x)


def _selected(model, choice):
    variables = model.trainable_variables
    if isinstance(choice, (list, tuple)):
        selected = [v for v in variables if any(v is c for c in choice)]
        if len(selected) != len(choice):
            selected = []
    elif choice is None:
        selected = variables
    elif callable(choice):
        selected = [v for v in variables if choice(v)]
    else:
        selected = [v for v in variables if re.search(choice, v.path)]
    if not selected:
        raise ValueError(
            "`variables` must select at least one of the trainable variables, "
            f"{[v.path for v in variables]}, and no others. "
            f"Received: variables={choice!r}"
        )
    _check_substitutable(model, selected)
    return selected


def _check_substitutable(model, selected):
    """PyTorch's modules read their own parameters, not Keras' variables."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.TorchModuleWrapper):
            own = [v.path for v in layer.variables]
            bypassed = [v.path for v in selected if v.path in own]
            if bypassed:
                raise ValueError(
                    "Variables of a `TorchModuleWrapper` cannot be moved. "
                    "Leave them out by `variables`. "
                    f"Received: variables {bypassed}"
                )


def _other_variables(model, selected):
    chosen = {id(v) for v in selected}
    return [v for v in model.variables if id(v) not in chosen]


def _compiled_loss(model):
    """Returns the loss that a model is compiled with, and its weights."""
    if type(model).compute_loss is not keras.Model.compute_loss:
        raise ValueError(
            "`loss` must be given for a model that defines `compute_loss()`. "
            f"Received: loss=None for model={model}"
        )
    if getattr(model, "loss", None) is None:
        raise ValueError(
            "`loss` must be given for a model that is not compiled with one. "
            f"Received: loss=None for model={model}"
        )
    return model.loss, model.get_compile_config().get("loss_weights")


def _check_arrays(data):
    sizes = {
        len(array) for array in keras.tree.flatten(data) if array is not None
    }
    if len(data) not in (2, 3) or len(sizes) != 1:
        raise ValueError(
            "`data` must be a tuple `(x, y)` or `(x, y, sample_weight)` of "
            "arrays of the same length, or a data set of batches. "
            f"Received: {len(data)} entries of lengths {sorted(sizes)}"
        )


def _batch_size(batch):
    return next(len(a) for a in keras.tree.flatten(batch) if a is not None)


def _to_tensor(array):
    """Casts floats to `floatx`, as `fit()` does, and leaves `None`."""
    if array is None or keras.ops.is_tensor(array):
        return array
    array = np.asarray(array)
    if np.issubdtype(array.dtype, np.floating):
        array = array.astype(keras.config.floatx())
    return keras.ops.convert_to_tensor(array)


def _flatten(tensors):
    """Returns a flat float64 array of a list of tensors."""
    arrays = [keras.ops.convert_to_numpy(t) for t in tensors]
    return np.concatenate([np.ravel(a).astype("float64") for a in arrays])
