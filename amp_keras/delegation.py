"""What an `AMPModel` leaves to its network, and what it takes from it."""

import keras


class Delegation:
    """Mixin with what is asked of the network in the place of the wrapper.

    Each is a property or a method of its own: `__getattr__` belongs to torch's
    modules and would be felt by `hasattr()`. None of the properties returns a
    layer or a list of layers, which Keras would take for one of the wrapper's
    and address in saved files. What the network lacks raises its
    `AttributeError`.
    """

    @property
    def inputs(self):
        return self.model.inputs

    @property
    def outputs(self):
        return self.model.outputs

    @property
    def input(self):
        try:
            return self.model.input
        except AttributeError:
            # In a bigger model the wrapper is a layer that was called.
            return super().input

    @property
    def output(self):
        try:
            return self.model.output
        except AttributeError:
            # In a bigger model the wrapper is a layer that was called.
            return super().output

    @property
    def input_shape(self):
        return self.model.input_shape

    @property
    def output_shape(self):
        return self.model.output_shape

    @property
    def output_names(self):
        return self.model.output_names

    def get_layer(self, name=None, index=None):
        """Returns a layer of the network.

        Args:
            name, index: As in `keras.Model.get_layer()`.
        """
        return self.model.get_layer(name=name, index=index)

    def summary(self, *args, **kwargs):
        """Prints the summary of the network, compiled as this model is.

        Args:
            *args, **kwargs: As in `keras.Model.summary()`.
        """
        compiled = self.model.compiled
        with self._optimizer_lent():
            self.model.compiled = self.compiled
            try:
                self.model.summary(*args, **kwargs)
            finally:
                self.model.compiled = compiled

    def export(self, *args, **kwargs):
        """Exports the network, for inference without amp_keras.

        Args:
            *args, **kwargs: As in `keras.Model.export()`.
        """
        return self.model.export(*args, **kwargs)

    def compute_output_shape(self, *args, **kwargs):
        return self.model.compute_output_shape(*args, **kwargs)

    def compute_output_spec(self, *args, **kwargs):
        # Where a layer has `compute_output_shape()`, Keras would go by it and
        # make all outputs floats.
        return keras.Operation.compute_output_spec(self, *args, **kwargs)

    def get_quantization_layer_structure(self, mode=None):
        return self.model.get_quantization_layer_structure(mode)

    def get_build_config(self):
        return self.model.get_build_config()

    def build_from_config(self, config):
        self.model.build_from_config(config)
        # Keras does not call a model built that it has built by a run.
        self.built = self.model.built or bool(self.model.weights)


# What Keras calls on the outermost model, with what to do instead.
_TRAINING = (
    "Override `compute_loss()` and `compute_metrics()` of a subclass of "
    "`AMPModel`, which the step calls"
)
_REPLACED = {
    "train_step": _TRAINING,
    "compute_loss_and_updates": _TRAINING,
    "stateless_compute_loss": _TRAINING,
    **dict.fromkeys(
        [
            "compute_loss",
            "compute_metrics",
            "test_step",
            "predict_step",
            "fit",
            "evaluate",
            "predict",
            "compile",
            "compile_from_config",
            "get_compile_config",
            "train_on_batch",
            "test_on_batch",
            "predict_on_batch",
            "make_train_function",
            "make_test_function",
            "make_predict_function",
            "get_metrics_result",
            "reset_metrics",
            "metrics",
            "metrics_names",
            "metrics_variables",
        ],
        "Define it on a subclass of `AMPModel`",
    ),
}


def check_network(model):
    """Raises a `ValueError` for what `AMPModel` cannot wrap unnoticed."""
    if not isinstance(model, keras.Model):
        raise ValueError(
            "`model` must be a `keras.Model`. "
            f"Received: model={model!r} (of type {type(model)})"
        )
    own = [name for name in _REPLACED if _defines(model, name)]
    if own:
        names = ", ".join(f"`{name}`" for name in own)
        raise ValueError(
            f"`model` must not define {names}, which `AMPModel` would "
            f"replace. {_advice(model, own[0])}. "
            f"Received: model={model!r} (of type {type(model)})"
        )


def _defines(model, name):
    missing = object()
    own = getattr(type(model), name, missing)
    return own is not getattr(keras.Model, name, missing) or (
        name in vars(model)
    )


def _advice(model, name):
    if hasattr(model, "preprocessor") and hasattr(model, "inputs"):
        return (
            "Wrap `keras.Model(task.inputs, task.outputs)`, which shares the "
            "weights of the task, and pass the data through "
            "`task.preprocessor`"
        )
    return _REPLACED[name]
