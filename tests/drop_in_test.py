"""`AMPModel` in the place of the network that it wraps."""

import pathlib
import re
import subprocess
import sys

import keras
import kinds
import networks
import numpy as np
import pytest
from keras import layers

import amp_keras

BACKEND = keras.config.backend()
DOCS = pathlib.Path(__file__).parents[1] / "docs/models.md"


@keras.saving.register_keras_serializable(package="drop_in")
class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.out = layers.Dense(2)

    def call(self, inputs):
        return self.out(inputs)


def functional():
    inputs = keras.Input((8,), name="features")
    hidden = layers.Dense(4, activation="relu", name="hidden")(inputs)
    return keras.Model(inputs, layers.Dense(2, name="out")(hidden))


def sequential():
    return keras.Sequential(
        [keras.Input((8,)), layers.Dense(4, name="hidden"), layers.Dense(2)]
    )


def subclassed():
    network = Subclassed()
    network(kinds.features())
    return network


def unbuilt():
    return keras.Sequential([layers.Dense(2)])


def summary_of(model):
    lines = []
    model.summary(print_fn=lines.append)
    return "\n".join(lines)


def attribute(model, name):
    """The value of a property, or the error that it raises."""
    try:
        return keras.tree.flatten(getattr(model, name))
    except AttributeError:
        return AttributeError


PROPERTIES = {
    "inputs",
    "outputs",
    "input",
    "output",
    "input_shape",
    "output_shape",
    "output_names",
}


@pytest.mark.parametrize("name", sorted(PROPERTIES))
@pytest.mark.parametrize("make", [functional, sequential, subclassed, unbuilt])
def test_property_is_that_of_the_network(make, name):
    network = make()
    model = amp_keras.AMPModel(network, epsilon=0.1)
    expected, actual = attribute(network, name), attribute(model, name)
    if expected is AttributeError:
        assert actual is AttributeError
        assert not hasattr(model, name)
    else:
        assert len(actual) == len(expected)
        assert all(a is b or a == b for a, b in zip(actual, expected))


def test_features_of_a_trained_model_are_taken_by_the_name_of_a_layer():
    network = functional()
    model = amp_keras.AMPModel(network, epsilon=0.1)
    features = keras.Model(model.inputs, model.get_layer("hidden").output)
    x = kinds.features()
    kernel, bias = network.layers[1].get_weights()
    np.testing.assert_allclose(
        features.predict(x, verbose=0),
        np.maximum(x @ kernel + bias, 0),
        atol=1e-6,
    )
    assert model.get_layer(index=2) is network.layers[2]
    assert model.layers == [network]
    with pytest.raises(ValueError, match="No such layer: none"):
        model.get_layer("none")


@pytest.mark.parametrize("make", [functional, sequential, subclassed])
def test_summary_is_that_of_the_network(make):
    network = make()
    model = amp_keras.AMPModel(network, epsilon=0.1)
    assert summary_of(model) == summary_of(network)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    model.train_on_batch(kinds.features(), np.ones((kinds.BATCH, 2)))
    assert not network.compiled
    compiled = summary_of(model)
    network.compile(model.optimizer, "mse")
    assert compiled == summary_of(network)
    assert "Optimizer params" in compiled


@pytest.mark.parametrize("make", [functional, sequential, unbuilt])
def test_shape_of_the_outputs_is_that_of_the_network(make):
    model = amp_keras.AMPModel(make(), epsilon=0.1)
    assert model.compute_output_shape((3, 8)) == (3, 2)


def test_symbolic_outputs_keep_the_dtype_that_the_network_gives_them():
    inputs = keras.Input((8,))
    network = keras.Model(inputs, keras.ops.argmax(inputs, axis=-1))
    outputs = amp_keras.AMPModel(network, epsilon=0.1)(keras.Input((8,)))
    assert outputs.dtype == network.outputs[0].dtype
    assert "int" in outputs.dtype


@pytest.mark.parametrize("make", [functional, subclassed])
def test_export_is_that_of_the_network(make, tmp_path):
    network = make()
    model = amp_keras.AMPModel(network, epsilon=0.1)
    x = kinds.features()
    expected = keras.ops.convert_to_numpy(network(x))
    if BACKEND == "torch":
        import torch

        path = str(tmp_path / "exported.pt2")
        signature = [keras.InputSpec(shape=x.shape, dtype="float32")]
        model.export(
            path, format="torch", verbose=False, input_signature=signature
        )
        serve = torch.export.load(path).module()
        outputs = serve(torch.as_tensor(x)).detach()
    else:
        import tensorflow as tf

        model.export(tmp_path, verbose=False)
        loaded = tf.saved_model.load(str(tmp_path))
        outputs = loaded.serve(x)
    np.testing.assert_allclose(np.asarray(outputs), expected, atol=1e-5)


class OwnExport(Subclassed):
    def export(self, filepath, **kwargs):
        return filepath, kwargs


def test_export_that_the_network_defines_is_called():
    model = amp_keras.AMPModel(OwnExport(), epsilon=0.1)
    assert model.export("here", verbose=False) == ("here", {"verbose": False})


def test_compilation_of_the_network_is_not_taken_over_and_the_error_says_so():
    network = sequential()
    network.compile(keras.optimizers.SGD(0.25), "mse", metrics=["mae"])
    model = amp_keras.AMPModel(network, epsilon=0.1)
    x, y = kinds.features(), np.ones((kinds.BATCH, 2))
    for method in (model.fit, model.train_on_batch, model.test_on_batch):
        with pytest.raises(ValueError, match="compile_from_config") as error:
            method(x, y)
        assert "`AMPModel` takes nothing over" in str(error.value)
    model.compile_from_config(model.model.get_compile_config())
    assert float(model.optimizer.learning_rate) == 0.25
    assert model.optimizer is not network.optimizer
    assert set(model.train_on_batch(x, y, return_dict=True)) == {"loss", "mae"}


def test_model_that_nobody_compiled_raises_as_keras_does():
    model = amp_keras.AMPModel(sequential(), epsilon=0.1)
    with pytest.raises(ValueError, match="You must call `compile"):
        model.fit(kinds.features(), np.ones((kinds.BATCH, 2)))


REPLACED = [
    "fit",
    "evaluate",
    "predict",
    "compile",
    "train_on_batch",
    "test_on_batch",
    "predict_on_batch",
    "make_train_function",
    "make_test_function",
    "make_predict_function",
    "get_metrics_result",
    "reset_metrics",
    "metrics",
    "get_compile_config",
    "compile_from_config",
    "stateless_compute_loss",
]


@pytest.mark.parametrize("name", REPLACED)
def test_network_with_a_method_that_would_be_lost_is_refused(name):
    own = getattr(keras.Model, name)
    own = (
        property(lambda self: [])
        if isinstance(own, property)
        else lambda self, *args, **kwargs: None
    )
    cls = type("Own", (Subclassed,), {name: own})
    with pytest.raises(ValueError, match=f"must not define `{name}`"):
        amp_keras.AMPModel(cls(), epsilon=0.1)


def test_method_that_was_set_on_the_network_itself_is_refused():
    network = sequential()
    network.train_step = lambda data: {}
    with pytest.raises(ValueError, match="must not define `train_step`"):
        amp_keras.AMPModel(network, epsilon=0.1)


def test_task_of_keras_hub_is_wrapped_without_its_preprocessor():
    """As `docs/models.md` says, with a model made without downloads."""
    hub = pytest.importorskip("keras_hub", reason="needs keras-hub")
    backbone = hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64],
        stackwise_num_blocks=[1],
        stackwise_num_strides=[1],
        block_type="basic_block",
        image_shape=(8, 8, 3),
    )
    preprocessor = hub.models.ResNetImageClassifierPreprocessor(
        hub.layers.ResNetImageConverter(image_size=(8, 8), scale=1 / 255)
    )
    task = hub.models.ResNetImageClassifier(
        backbone, num_classes=3, preprocessor=preprocessor
    )
    with pytest.raises(ValueError, match="keras.Model.task.inputs, task.out"):
        amp_keras.AMPModel(task, epsilon=0.1)

    images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3))
    labels = np.arange(6) % 3
    network = keras.Model(task.inputs, task.outputs)
    model = amp_keras.AMPModel(network, epsilon=0.1)
    model.compile(keras.optimizers.SGD(0.1), networks.classifier_loss())
    x = keras.ops.convert_to_numpy(task.preprocessor(images.astype("float32")))
    assert x.shape == (6, 8, 8, 3) and x.max() <= 1.0
    before = task.get_weights()
    model.fit(x, labels, verbose=0)
    assert any((a != b).any() for a, b in zip(before, task.get_weights()))
    np.testing.assert_allclose(
        model.predict(x, verbose=0),
        task.predict(images.astype("float32"), verbose=0),
        atol=1e-5,
    )


class PlainStep(amp_keras.AMPModel):
    def train_step(self, *args):
        return keras.Model.train_step(self, *args)


class Mixin:
    def train_step(self, *args):
        return keras.Model.train_step(self, *args)


class MixedIn(Mixin, amp_keras.AMPModel):
    pass


class ExtendedStep(amp_keras.AMPModel):
    def train_step(self, *args):
        result = super().train_step(*args)
        logs = result[0] if BACKEND == "jax" else result
        logs["one"] = keras.ops.ones(())
        return result


class InheritsExtendedStep(ExtendedStep):
    pass


def stepped(cls, epsilon=0.3):
    keras.utils.set_random_seed(0)
    model = cls(sequential(), epsilon=epsilon)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    logs = model.train_on_batch(
        kinds.features(), np.ones((kinds.BATCH, 2)), return_dict=True
    )
    return logs, model.get_weights()


@pytest.mark.parametrize("cls", [PlainStep, MixedIn])
@pytest.mark.parametrize("epsilon", [0.0, 0.3])
def test_train_step_of_a_subclass_that_trains_without_amp_is_an_error(
    cls, epsilon
):
    with pytest.raises(ValueError, match=r"must call `super\(\)\.train_step"):
        stepped(cls, epsilon)


@pytest.mark.parametrize("cls", [ExtendedStep, InheritsExtendedStep])
def test_train_step_of_a_subclass_may_extend_that_of_amp(cls):
    logs, weights = stepped(cls)
    assert logs["one"] == 1.0
    _, expected = stepped(amp_keras.AMPModel)
    for a, b in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(a, b)


class HalvesItsInputs(amp_keras.AMPModel):
    def call(self, inputs, training=None):
        return super().call(inputs / 2, training=training)


def test_call_of_a_subclass_is_that_of_every_pass():
    x, y = kinds.features(), np.ones((kinds.BATCH, 2))

    def weights(cls, inputs):
        keras.utils.set_random_seed(0)
        model = cls(sequential(), epsilon=0.3)
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.train_on_batch(inputs, y)
        return model.get_weights()

    expected = weights(amp_keras.AMPModel, x / 2)
    for a, b in zip(weights(HalvesItsInputs, x), expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(BACKEND != "torch", reason="a hook of torch's modules")
def test_hook_of_the_model_runs_in_every_pass():
    model = amp_keras.AMPModel(sequential(), epsilon=0.3, inner_iters=2)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    batch, calls = (kinds.features(), np.ones((kinds.BATCH, 2))), []
    model.train_on_batch(*batch)
    model.register_forward_hook(lambda *call: calls.append(call))
    model.train_on_batch(*batch)
    assert len(calls) == 3


class Pops(keras.Model):
    """Takes what it needs out of the dict that it is given."""

    def __init__(self):
        super().__init__()
        self.out = layers.Dense(2)

    def call(self, inputs):
        outputs = self.out(inputs.pop("a"))
        inputs["b"] = 100.0 * inputs["b"]
        return outputs + inputs.pop("b")


def loss_that_pops(targets, outputs):
    return keras.ops.mean(keras.ops.square(targets.pop("y") - outputs))


class PopsInItsLoss(amp_keras.AMPModel):
    def compute_loss(self, x, y, y_pred, sample_weight, training=True):
        return loss_that_pops(y, y_pred)


def test_every_pass_sees_the_containers_of_the_batch_as_they_were():
    x = {"a": kinds.features(), "b": np.ones((kinds.BATCH, 2), "float32")}
    y = {"y": np.ones((kinds.BATCH, 2), "float32")}

    def steps(epsilon):
        keras.utils.set_random_seed(0)
        network = Pops()
        network({k: v.copy() for k, v in x.items()})
        model = PopsInItsLoss(network, epsilon=epsilon, inner_iters=2)
        model.compile(
            keras.optimizers.SGD(0.01),
            run_eagerly=BACKEND != "torch",
        )
        data = [(dict(x), dict(y))] * 2
        model.fit((batch for batch in data), steps_per_epoch=2, verbose=0)
        return model.get_weights()

    # As with an epsilon of next to nothing, and so of nothing.
    for a, b in zip(steps(1e-7), steps(0.0), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


class DividesInPlace(keras.Model):
    def __init__(self):
        super().__init__()
        self.out = layers.Dense(2)

    def call(self, inputs):
        inputs /= 2.0
        return self.out(inputs)


@pytest.mark.skipif(BACKEND != "torch", reason="tensors cannot be changed")
def test_tensor_that_is_changed_in_place_is_an_error():
    model = amp_keras.AMPModel(DividesInPlace(), epsilon=0.1)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    with pytest.raises(ValueError, match="changed it in place"):
        model.fit(kinds.features(), np.ones((kinds.BATCH, 2)), verbose=0)


def test_array_that_is_changed_in_place_is_the_same_in_every_pass():
    """On PyTorch, Keras makes tensors of arrays that share their memory."""

    def sharpness(cls):
        keras.utils.set_random_seed(0)
        model = amp_keras.AMPModel(cls(), 1e-7, log_perturbation=True)
        model.compile(keras.optimizers.SGD(0.1), "mse")
        logs = model.train_on_batch(
            8.0 * kinds.features(), np.ones((kinds.BATCH, 2)), return_dict=True
        )
        return logs["loss"], logs["sharpness"]

    loss, sharp = sharpness(DividesInPlace)
    assert loss > 1.0
    assert abs(sharp) < 1e-4


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"epsilon": "0.05"}, "epsilon='0.05'"),
        ({"inner_lr": "1"}, "inner_lr='1'"),
        ({"inner_iters": "2"}, "inner_iters='2'"),
        ({"norm": "l1"}, "norm='l1'"),
        ({"perturb": "("}, r"perturb='\('"),
        ({"inner_clipnorm": "9"}, "inner_clipnorm='9'"),
    ],
)
def test_message_shows_the_value_as_it_is_written(arguments, message):
    with pytest.raises(ValueError, match=f"Received: {message}"):
        amp_keras.AMPModel(sequential(), **{"epsilon": 0.1, **arguments})


def test_function_that_chooses_variables_survives_clone_model(tmp_path):
    name = "kernel"
    model = amp_keras.AMPModel(
        sequential(), epsilon=0.1, perturb=lambda v: name in v.path
    )
    clone = keras.models.clone_model(model)
    assert clone.perturb is model.perturb
    assert clone.model is not model.model
    model.save(tmp_path / "amp.keras")
    with pytest.raises(ValueError, match="safe_mode=False|unsafe"):
        keras.models.load_model(tmp_path / "amp.keras")


class IntegersOnly(Subclassed):
    def call(self, inputs):
        if "int" not in keras.backend.standardize_dtype(inputs.dtype):
            raise TypeError("integers only")
        return super().call(keras.ops.one_hot(inputs, 20))


def test_network_that_takes_no_floats_is_built_by_its_call():
    model = amp_keras.AMPModel(IntegersOnly(), epsilon=0.1)
    with pytest.raises(ValueError, match="integers only"):
        model.build((None, 5))
    assert not model.built
    model(kinds.tokens())
    assert model.built
    assert [tuple(w.shape) for w in model.weights] == [(20, 2), (2,)]


class Broken(keras.Model):
    def call(self, inputs):
        raise RuntimeError("this network is broken")


def test_build_hides_no_error_of_the_network():
    model = amp_keras.AMPModel(Broken(), epsilon=0.1)
    with pytest.raises(ValueError, match="this network is broken"):
        model.build((None, 5))
    assert not model.built


@pytest.mark.parametrize("make", [sequential, unbuilt, subclassed])
def test_build_config_is_that_of_the_network(make):
    network = make()
    network(kinds.features())
    model = amp_keras.AMPModel(network, epsilon=0.1)
    config = model.get_build_config()
    copy = amp_keras.AMPModel.from_config(
        {**model.get_config(), "model": unbuilt_copy(network)}
    )
    assert not copy.built
    copy.build_from_config(config)
    assert copy.built
    assert [w.shape for w in copy.weights] == [w.shape for w in model.weights]


def unbuilt_copy(network):
    if isinstance(network, Subclassed):
        return keras.saving.serialize_keras_object(Subclassed())
    copies = [type(a).from_config(a.get_config()) for a in network.layers]
    return keras.saving.serialize_keras_object(keras.Sequential(copies))


SUBMODULES = ["datasets", "evaluation", "models", "optimizers", "tuner"]


@pytest.mark.skipif(BACKEND != "tensorflow", reason="tested once")
def test_submodules_are_imported_when_they_are_named():
    code = (
        "import sys, amp_keras\n"
        f"for name in {SUBMODULES}:\n"
        "    full = f'amp_keras.{name}'\n"
        "    assert name in dir(amp_keras)\n"
        "    if name != 'evaluation': assert full not in sys.modules, full\n"
        "    assert getattr(amp_keras, name) is sys.modules[full]\n"
        "assert not hasattr(amp_keras, 'delta')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def fitted(model):
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(kinds.features(), np.ones((kinds.BATCH, 2)), verbose=0)
    return model


def public_attributes():
    """All that Keras gives models, whether or not they are compiled.

    What Keras takes from a framework, as from `torch.nn.Module`, is left out.
    """
    names = set()
    for make in (functional, sequential, subclassed):
        network = make()
        theirs = set()
        for cls in type(network).__mro__:
            if cls.__module__.startswith("keras."):
                names |= set(vars(cls))
            elif cls.__module__ != __name__:
                theirs |= set(vars(cls))
        names |= set(vars(fitted(network))) - theirs - {"out", "training"}
    return {name for name in names if not name.startswith("_")}


def sorted_attributes():
    """The table in the docs: {sort: {attribute: backend, or ""}}."""
    table = {}
    for line in DOCS.read_text().splitlines():
        row = re.fullmatch(r"\| (delegated|own|not) \| (.*) \| .* \|", line)
        if row:
            found = re.findall(r"`(\w+)`(?: \((\w+)\))?", row[2])
            assert not table.get(row[1], {}).keys() & dict(found).keys()
            table.setdefault(row[1], {}).update(found)
    return table


def test_every_attribute_of_a_keras_model_is_sorted_in_the_docs():
    table = sorted_attributes()
    entries = [entry for row in table.values() for entry in row.items()]
    names = [name for name, backend in entries if backend in ("", BACKEND)]
    assert len(set(names)) == len(names)
    assert set(names) == public_attributes()


def test_attributes_are_what_the_docs_say():
    table = sorted_attributes()
    model, plain = fitted(amp_keras.AMPModel(functional(), 0.1)), functional()
    fitted(plain)
    delegation = amp_keras.AMPModel.__mro__[1]
    assert delegation.__name__ == "Delegation"
    mine = {name for name in vars(delegation) if not name.startswith("_")}
    assert set(table["delegated"]) == mine
    for name, backend in table["own"].items():
        if backend in ("", BACKEND):
            assert hasattr(model, name) == hasattr(plain, name), name
    for name in table["not"]:
        assert not hasattr(model, name), name
        assert any(hasattr(make(), name) for make in (functional, sequential))


def test_layer_of_a_bigger_model_trains_plainly():
    """As `docs/models.md` says: the outermost model is the one to wrap."""
    x, y = networks.data()
    trained = []
    for wrap in (
        lambda network: network,
        lambda network: amp_keras.AMPModel(network, epsilon=0.5),
    ):
        network = networks.plain_mlp()
        inputs = keras.Input((networks.FEATURES,))
        outer = keras.Model(inputs, wrap(network)(inputs))
        outer.compile("sgd", networks.classifier_loss())
        outer.train_on_batch(x, y)
        trained.append(network.get_weights())
    for plain, wrapped in zip(*trained, strict=True):
        np.testing.assert_array_equal(plain, wrapped)


@pytest.mark.skipif(BACKEND != "torch", reason="changes states in place")
@pytest.mark.parametrize("layer", [layers.LSTM, layers.GRU])
def test_stateful_layer_trains_on_torch_where_the_weights_are_perturbed(layer):
    """Plain Keras raises, and so does a step without perturbation."""

    def network():
        inputs = keras.Input(batch_shape=(2, 5, 3))
        return keras.Model(
            inputs, layers.Dense(1)(layer(4, stateful=True)(inputs))
        )

    def step(model):
        model.compile("sgd", "mse")
        model.train_on_batch(np.ones((2, 5, 3)), np.zeros((2, 1)))

    plain, amp = network(), amp_keras.AMPModel(network(), epsilon=0.0)
    for model in (plain, amp):
        with pytest.raises(RuntimeError, match="by an inplace operation"):
            step(model)
    amp.epsilon = 0.1
    step(amp)
    amp.epsilon = 0.0
    with pytest.raises(RuntimeError, match="by an inplace operation"):
        step(amp)
