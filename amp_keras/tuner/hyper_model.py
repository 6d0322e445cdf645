"""`AMPHyperModel`: a network and the arguments of AMP to search."""

import inspect

import keras
import keras_tuner

from amp_keras.amp_model import AMPModel
from amp_keras.tuner.amp_space import AMPSpace


class AMPHyperModel(keras_tuner.HyperModel):
    """Wraps a function or a hypermodel in `AMPModel`, for keras-tuner.

    Each argument of AMP is a value, or a list of values to search. Epsilon is
    always searched, and 0, plain training, is always among its values: it is
    the baseline, and the default. Its values are discrete, since one that is a
    few percent away makes no difference, and on a logarithmic scale.

    Where epsilon is 0, `inner_lr`, `inner_iters`, `inner_fraction` and `norm`
    mean nothing and are not varied.

    A `keras_tuner.HyperModel` keeps its `fit()`, which is given the `AMPModel`:
    what is tuned there, such as the size of batches, is tuned here too.

    Examples:

    ```python
    def build(hp):
        network = keras.Sequential([
            keras.layers.Dense(hp.Int("units", 32, 128), activation="relu"),
            keras.layers.Dense(10),
        ])
        network.compile("adam", keras.losses.SparseCategoricalCrossentropy(
            from_logits=True), metrics=["accuracy"])
        return network

    tuner = keras_tuner.Tuner(
        oracle=amp_keras.tuner.RandomOracle("val_loss", max_trials=20),
        hypermodel=amp_keras.tuner.AMPHyperModel(build),
    )
    tuner.search(x_train, y_train, validation_split=0.1, epochs=20)
    tuner.get_best_hyperparameters()[0]["epsilon"]
    ```

    ```python
    class MyHyperModel(keras_tuner.HyperModel):
        def build(self, hp):
            return build(hp)

        def fit(self, hp, model, *args, **kwargs):
            batch_size = hp.Choice("batch_size", [32, 64, 128])
            return model.fit(*args, batch_size=batch_size, **kwargs)

    hypermodel = amp_keras.tuner.AMPHyperModel(MyHyperModel())
    ```

    Args:
        build: A function of the hyperparameters, or of nothing, that returns
            the plain network, a `keras.Model`, compiled unless `compile` is
            given; or a `keras_tuner.HyperModel` (or its bound method `build`)
            that does, whose `fit()` and `declare_hyperparameters()` are kept.
        epsilon: List of floats >= 0, or a dict with one for each norm.
            Defaults to `None`: `amp_keras.tuner.EPSILONS`, 0 and 25 values
            from 0.002 to 0.5 (`norm="global"`), or a tenth of them
            (`norm="per_variable"`).
        inner_lr: Float >= 0, or a list of floats. Defaults to `1.0`.
        inner_iters: Int >= 0, or a list of ints. Defaults to `1`.
        norm: `"global"`, `"per_variable"` or a list of both. Defaults to
            `"global"`.
        inner_fraction: Float, 1/s with an integer `s`, or a list of such
            floats. Defaults to `1.0`.
        compile: A function of the `AMPModel` that compiles it. Defaults to
            `None`: it is compiled as the network was.
        name: String, the name of the hypermodel. Defaults to `None`.
        tunable: Bool, as in `keras_tuner.HyperModel`. Defaults to `True`.

    The first value of a list is its default. With both norms, each has
    hyperparameters of its own, such as `epsilon_global`.

    Raises:
        ValueError: If a list is empty, `norm` is unknown, or `build` is not,
            or does not return, what is described above.
    """

    def __init__(
        self,
        build,
        epsilon=None,
        inner_lr=1.0,
        inner_iters=1,
        norm="global",
        compile=None,
        name=None,
        tunable=True,
        inner_fraction=1.0,
    ):
        super().__init__(name=name, tunable=tunable)
        self._space = AMPSpace(
            epsilon, inner_lr, inner_iters, norm, inner_fraction
        )
        # A hypermodel, or a method that is bound to one.
        self._wrapped = getattr(build, "__self__", build)
        if not isinstance(self._wrapped, keras_tuner.HyperModel):
            self._wrapped = keras_tuner.HyperModel()
        if isinstance(build, keras_tuner.HyperModel):
            build = build.build
        self._takes_hyperparameters = _takes_hyperparameters(build)
        self._build_network = build
        self._compile = compile

    def declare_hyperparameters(self, hp):
        self.arguments(hp)
        self._wrapped.declare_hyperparameters(hp)

    def fit(self, hp, model, *args, **kwargs):
        """Trains the model, as the hypermodel that is wrapped does.

        Args:
            hp: `keras_tuner.HyperParameters`.
            model: The `AMPModel` that `build()` returned.
            args, kwargs: What was given to `search()`, and callbacks.

        Returns:
            What `fit()` of a `keras_tuner.HyperModel` may return.
        """
        return self._wrapped.fit(hp, model, *args, **kwargs)

    def arguments(self, hp):
        """Returns the arguments of `AMPModel` for a set of hyperparameters.

        Args:
            hp: `keras_tuner.HyperParameters`. What they lack is added.

        Returns:
            A dict: `epsilon`, `inner_lr`, `inner_iters`, `inner_fraction` and
            `norm`.
        """
        return self._space.arguments(hp)

    def build(self, hp):
        arguments = self.arguments(hp)
        network = (
            self._build_network(hp)
            if self._takes_hyperparameters
            else self._build_network()
        )
        if not isinstance(network, keras.Model) or isinstance(
            network, AMPModel
        ):
            raise ValueError(
                "`build` must return the plain network, a `keras.Model`. "
                f"Received: {network} (of type {type(network)})"
            )
        model = AMPModel(network, **arguments)
        if self._compile:
            self._compile(model)
        elif network.compiled:
            model.compile_from_config(network.get_compile_config())
        else:
            raise ValueError(
                "`build` must return a compiled model, unless `compile` is "
                f"given. Received: {network}, which is not compiled"
            )
        return model


def _takes_hyperparameters(build):
    if not callable(build) or isinstance(build, keras.Model):
        raise ValueError(
            "`build` must be a function or a `keras_tuner.HyperModel`. "
            f"Received: build={build!r} (of type {type(build)})"
        )
    parameters = inspect.signature(build).parameters.values()
    return any(parameter.default is parameter.empty for parameter in parameters)
