"""`AMPModel`: a Keras model trained by Adversarial Model Perturbation."""

import contextlib
import functools
import math
import numbers
import re

import keras

from amp_keras import weights_file
from amp_keras.batch_part import stride_of
from amp_keras.delegation import Delegation
from amp_keras.delegation import check_network
from amp_keras.epsilon import Epsilon
from amp_keras.perturbation import NORMS

_BACKEND = keras.config.backend()
if _BACKEND == "tensorflow":
    from amp_keras.backend.tensorflow.trainer import (
        TensorFlowTrainer as Trainer,
    )
elif _BACKEND == "jax":
    from amp_keras.backend.jax.trainer import JAXTrainer as Trainer
elif _BACKEND == "torch":
    from amp_keras.backend.torch.trainer import TorchTrainer as Trainer
else:
    raise ImportError(
        "amp_keras runs on the TensorFlow, JAX and PyTorch backends of Keras. "
        f"Received: KERAS_BACKEND={_BACKEND}"
    )


@keras.saving.register_keras_serializable(package="amp_keras")
class AMPModel(Delegation, Trainer, keras.Model):
    """Trains a model by Adversarial Model Perturbation (AMP).

    AMP minimizes the loss at the worst weights near the current ones instead
    of the loss at the weights themselves, which favours flat minima. On each
    batch, `inner_iters` steps of gradient ascent from a perturbation of zero
    find one of L2 norm at most `epsilon` that raises the loss; the optimizer
    then updates the unperturbed weights with the gradient taken at the
    perturbed ones. A training step costs `inner_iters + 1` forward and
    backward passes; `evaluate()` and `predict()` are those of `model`.

    All passes of a step see the same batch, dropout masks and random
    augmentation of layers that use `keras.random.SeedGenerator`. Loss, metrics
    and batch normalization statistics come from the first pass, at the
    unperturbed weights; `inner_fraction` says what changes with a part of the
    batch. Should a gradient become infinite or NaN, the step's gradients are
    dropped and its loss is reported as NaN, for
    `keras.callbacks.TerminateOnNaN` to see; an optimizer with dynamic loss
    scaling skips the step instead.

    SAM is the case of `norm="global"`, `inner_iters=1` and a large `inner_lr`,
    such as `1e6`: any but a vanishing gradient then reaches the sphere.

    Example:

    ```python
    network = keras.Sequential([
        keras.Input((28, 28)),
        keras.layers.Flatten(),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(10),
    ])
    model = amp_keras.AMPModel(network, epsilon=0.05)
    model.compile(
        optimizer=keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(x_train, y_train, epochs=10)
    network.save("network.keras")  # A plain model: loads without amp_keras.
    ```

    Args:
        model: A `keras.Model`: Sequential, functional or subclassed. It must
            not define how it is trained, evaluated or compiled, by methods
            such as `train_step()`, `compute_loss()` or `fit()`: those of the
            wrapper would take their place. Define `compute_loss()` and others
            on a subclass of `AMPModel` instead; a `train_step()` there must
            call `super().train_step()`.
        epsilon: Float >= 0, the radius of the ball. A good value depends on
            the network and on `norm`, so there is no default. `0` trains
            without perturbation, exactly as `model.fit()` would.
        inner_lr: Float >= 0, the step size of the ascent (zeta in the paper).
            `0` trains without perturbation. Defaults to `1.0`.
        inner_iters: Int >= 0, the number of ascent steps (N in the paper). `0`
            trains without perturbation. Defaults to `1`.
        norm: `"global"` for one ball over all trainable variables together,
            as the paper defines it, or `"per_variable"` for a ball of radius
            `epsilon` for each variable, as in the authors' released code, to
            which their published values of `epsilon` belong. Defaults to
            `"global"`.
        perturb: Which trainable variables the perturbation moves: a function
            of a `keras.Variable` that returns a bool, or a regular expression
            to be found in its `path`. `"kernel|embeddings"`, say, leaves out
            biases and normalization. Defaults to `None`: all of them.
        inner_clipnorm: Float > 0, the global L2 norm to which the gradients of
            the ascent are clipped, over the variables that are perturbed. (The
            last gradient is clipped by the optimizer's `global_clipnorm`.) The
            authors' code clips all gradients at 50. Defaults to `None`: no
            clipping.
        synchronize_perturbation: Bool, whether replicas share the
            perturbation that raises the loss of the global batch, as a single
            device would. `False` gives each replica one for its own part of
            the batch ("m-sharpness"; `tf.distribute.MirroredStrategy` only).
            Defaults to `True`.
        log_perturbation: Bool, whether `fit()` also reports, as metrics of the
            training batches, `perturbed_loss`, the loss at the last perturbed
            weights; `sharpness`, its excess over the loss at the weights;
            `perturbation_norm`, the L2 norm over all variables; and
            `perturbation_clipped`, the share of steps (with
            `norm="per_variable"`, of variables and steps) in which the last
            ascent left the ball. They cost no pass. Defaults to `False`.
        inner_fraction: Float, the share of each batch that the ascent sees:
            `1/s` with an integer `s`, for every `s`-th example. A step then
            costs `inner_iters * inner_fraction + 1` passes instead of
            `inner_iters + 1`, and asks for shuffled batches and for an
            `epsilon` that is two to three times as large. Loss and metrics of
            the training batches are those of the part; batch normalization
            statistics and all other state come from the last pass, over the
            whole batch. Defaults to `1.0`.
        name: String, the name of the model. Defaults to `None`: chosen by
            Keras.

    Attributes:
        model: The wrapped model. It shares its weights with this one and can
            be saved, exported or served alone.
        epsilon: Float, the radius. It can be set at any time, also during
            `fit()` (see `amp_keras.callbacks.EpsilonScheduler`), without
            compiling the training step anew, unless it changes between 0 and
            a positive value. As a learning rate it belongs to the
            configuration, which `.keras` files keep, and is no weight: weights
            files, `weights` and `get_weights()` are those of `model`, and
            loading weights leaves epsilon as it is.
        inner_lr, inner_iters, norm, perturb, inner_clipnorm,
            synchronize_perturbation, log_perturbation, inner_fraction: The
            arguments, read-only: a compiled training step has them built in.

    Raises:
        ValueError: If an argument is not of the kind described above.

    Reference:
        Zheng, Zhang, Mao, "Regularizing Neural Networks via Adversarial Model
        Perturbation", CVPR 2021 (https://arxiv.org/abs/2010.04925), Algorithm
        1; https://github.com/hiyouga/AMP-Regularizer
    """

    def __init__(
        self,
        model,
        epsilon,
        inner_lr=1.0,
        inner_iters=1,
        norm="global",
        perturb=None,
        inner_clipnorm=None,
        synchronize_perturbation=True,
        log_perturbation=False,
        inner_fraction=1.0,
        name=None,
    ):
        check_network(model)
        _check_non_negative_float("epsilon", epsilon)
        _check_non_negative_float("inner_lr", inner_lr)
        _check_non_negative_int("inner_iters", inner_iters)
        if norm not in NORMS:
            raise ValueError(
                f"`norm` must be one of {NORMS}. Received: norm={norm!r}"
            )
        _check_perturb(perturb)
        _check_inner_clipnorm(inner_clipnorm)
        inner_stride = stride_of(inner_fraction)
        self._check_strategy()
        # The wrapped model casts its inputs itself.
        super().__init__(name=name, dtype=model.dtype_policy, autocast=False)
        self.model = model
        self._epsilon = Epsilon(epsilon)
        self._inner_lr = float(inner_lr)
        self._inner_iters = int(inner_iters)
        self._norm = norm
        self._perturb = perturb
        self._inner_clipnorm = inner_clipnorm and float(inner_clipnorm)
        self._synchronize_perturbation = bool(synchronize_perturbation)
        self._log_perturbation = bool(log_perturbation)
        self._inner_stride = inner_stride
        # `fit()` asks it of the outermost model, but means the wrapped one.
        self._call_has_training_arg = model._call_has_training_arg
        self.supports_masking = True
        self.built = model.built
        self._set_up_trainer()

    @property
    def epsilon(self):
        return self._epsilon.value

    @epsilon.setter
    def epsilon(self, value):
        _check_non_negative_float("epsilon", value)
        # `fit()` on JAX holds the values of the variables.
        getattr(self, "jax_state_sync", lambda: None)()
        self._epsilon.set(value)
        if self.train_function is not None:
            self.make_train_function()

    @property
    def inner_lr(self):
        return self._inner_lr

    @property
    def inner_iters(self):
        return self._inner_iters

    @property
    def norm(self):
        return self._norm

    @property
    def perturb(self):
        return self._perturb

    @property
    def inner_clipnorm(self):
        return self._inner_clipnorm

    @property
    def synchronize_perturbation(self):
        return self._synchronize_perturbation

    @property
    def log_perturbation(self):
        return self._log_perturbation

    @property
    def inner_fraction(self):
        return 1 / self._inner_stride

    def build(self, input_shape):
        if self.model.built:
            return
        inputs = keras.tree.map_shape_structure(keras.KerasTensor, input_shape)
        try:
            self.compute_output_spec(inputs)
        except Exception as error:
            raise ValueError(
                "The network cannot be built from a shape, which means float "
                "inputs. Call the model on a batch instead. "
                f"Received: input_shape={input_shape!r} ({error})"
            ) from error

    def _maybe_build(self, call_spec):
        """The network is built by its own call, which sees the inputs."""

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if cls.train_step is not AMPModel.train_step:
            cls.train_step = _calling_super(cls.train_step)

    def train_step(self, *args):
        """Takes a step; what it takes and returns depends on the backend.

        A subclass may extend it, by `super().train_step()`. To change what is
        minimized, override `compute_loss()`, which every pass calls with the
        model's outputs at the weights of that pass.
        """
        self._has_stepped = True
        return super().train_step(*args)

    def _assert_compile_called(self, method_name=None):
        if not self.compiled and self.model.compiled:
            raise ValueError(
                "`AMPModel` takes nothing over from the network's own "
                "`compile()`. Write `model.compile(optimizer=..., loss=..., "
                "metrics=...)` or, for the settings of the network, "
                "`model.compile_from_config(model.model.get_compile_config())`"
                f" before calling `{method_name}()`."
            )
        super()._assert_compile_called(method_name)

    def call(self, inputs, training=None):
        if self._call_has_training_arg:
            return self.model(inputs, training=training)
        return self.model(inputs)

    def _has_own_call(self):
        """Whether this model does more than call its network."""
        return getattr(self.call, "__func__", None) is not AMPModel.call

    @property
    def metrics(self):
        # Keras leaves out the metrics that a model within a model owns.
        return [*super().metrics, *self.model._metrics]

    @contextlib.contextmanager
    def _optimizer_lent(self):
        """A scope in which the network has the optimizer of the wrapper."""
        compiled = hasattr(self.model, "optimizer")
        own = self.model.optimizer if compiled else None
        self.model.optimizer = getattr(self, "optimizer", None)
        try:
            yield
        finally:
            self.model.optimizer = own
            if not compiled:
                del self.model.optimizer

    def save_weights(self, filepath, overwrite=True, **kwargs):
        """Saves what `model.save_weights()` would save, compiled as this is.

        The plain network loads the file, its optimizer included. `epsilon` is
        no part of it.

        Args:
            filepath, overwrite, kwargs: As in `keras.Model.save_weights()`.
        """
        with self._optimizer_lent():
            self.model.save_weights(filepath, overwrite, **kwargs)

    def load_weights(self, filepath, skip_mismatch=False, **kwargs):
        """Loads a weights file of the plain network or of this model.

        `epsilon` stays as it is. Files in which Keras addresses the network as
        a layer of this model are read too: `.keras` files, and weights files
        of early versions of amp_keras, whose epsilon is dropped.

        Args:
            filepath, skip_mismatch, kwargs: As in
                `keras.Model.load_weights()`.
        """
        if weights_file.is_of_wrapper(filepath, self.model):
            super().load_weights(filepath, skip_mismatch, **kwargs)
            return
        with self._optimizer_lent():
            self.model.load_weights(filepath, skip_mismatch, **kwargs)

    def load_own_variables(self, store):
        """Drops epsilon, which early versions of amp_keras saved here."""
        own = {}
        self.save_own_variables(own)
        if not own and set(store.keys()) == {"0"} and store["0"].shape == ():
            return
        super().load_own_variables(store)

    def get_config(self):
        return {
            "name": self.name,
            "model": keras.saving.serialize_keras_object(self.model),
            "epsilon": self.epsilon,
            "inner_lr": self.inner_lr,
            "inner_iters": self.inner_iters,
            "norm": self.norm,
            "perturb": _serialize_function(self.perturb),
            "inner_clipnorm": self.inner_clipnorm,
            "synchronize_perturbation": self.synchronize_perturbation,
            "log_perturbation": self.log_perturbation,
            "inner_fraction": self.inner_fraction,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        network = keras.saving.deserialize_keras_object(
            config["model"], custom_objects=custom_objects
        )
        perturb = _deserialize_function(config.get("perturb"), custom_objects)
        return cls(**{**config, "model": network, "perturb": perturb})


class _NameOfFunction(str):
    """A string that remembers the function it stands for.

    `keras.models.clone_model()` copies a model by its configuration, in which
    strings stay what they are. In a file it is a string like any other.
    """


def _serialize_function(function):
    config = keras.saving.serialize_keras_object(function)
    if isinstance(config, dict):
        name = _NameOfFunction(config["class_name"])
        name.function = function
        config = {**config, "class_name": name}
    return config


def _deserialize_function(config, custom_objects):
    name = config["class_name"] if isinstance(config, dict) else None
    if isinstance(name, _NameOfFunction):
        return name.function
    return keras.saving.deserialize_keras_object(
        config, custom_objects=custom_objects
    )


def _calling_super(train_step):
    """Returns a `train_step()` that raises unless it takes AMP's step."""

    @functools.wraps(train_step)
    def checked(self, *args):
        self._has_stepped = False
        result = train_step(self, *args)
        if not self._has_stepped:
            raise ValueError(
                "`train_step()` of a subclass of `AMPModel` must call "
                "`super().train_step()`: its own would train without AMP. To "
                "change what is minimized, override `compute_loss()`, which "
                "every pass calls. "
                f"Received: model={self!r} (of type {type(self)})"
            )
        return result

    return checked


def _check_perturb(perturb):
    if perturb is None or callable(perturb):
        return
    try:
        re.compile(perturb)
    except (re.error, TypeError) as error:
        raise ValueError(
            "`perturb` must be None, a function of a variable or a regular "
            f"expression. Received: perturb={perturb!r} ({error})"
        ) from error


def _check_inner_clipnorm(value):
    if value is None:
        return
    _check_non_negative_float("inner_clipnorm", value)
    if value == 0:
        raise ValueError(
            "`inner_clipnorm` must be None or a float > 0. "
            f"Received: inner_clipnorm={value!r}"
        )


def _check_non_negative_float(name, value):
    if (
        isinstance(value, bool)
        or not isinstance(value, numbers.Real)
        or not math.isfinite(value)
        or value < 0
    ):
        raise ValueError(
            f"`{name}` must be a finite float >= 0. Received: {name}={value!r}"
        )


def _check_non_negative_int(name, value):
    if (
        isinstance(value, bool)
        or not isinstance(value, numbers.Integral)
        or value < 0
    ):
        raise ValueError(
            f"`{name}` must be an int >= 0. Received: {name}={value!r}"
        )
