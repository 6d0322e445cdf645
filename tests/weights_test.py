"""Weights and weights files of an `AMPModel` are those of the plain network."""

import h5
import keras
import networks
import numpy as np
import pytest
from keras import layers

import amp_keras

BACKEND = keras.config.backend()


@keras.saving.register_keras_serializable(package="weights_test")
class Subclassed(keras.Model):
    """Has an attribute that sorts before `layers`, and a weight of its own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(8, activation="tanh")
        self.normalization = layers.BatchNormalization()
        self.out = layers.Dense(networks.CLASSES)
        self.scale = self.add_weight(name="scale", initializer="ones")

    def call(self, inputs, training=None):
        x = self.normalization(self.dense(inputs), training=training)
        return self.out(x) * self.scale


def sequential():
    return networks.plain_mlp()


def functional():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((networks.FEATURES,))
    x = layers.BatchNormalization()(layers.Dense(8)(inputs))
    return keras.Model(inputs, layers.Dense(networks.CLASSES)(layers.ReLU()(x)))


def subclassed():
    keras.utils.set_random_seed(0)
    network = Subclassed()
    network(networks.data()[0])
    return network


def nested():
    """Its one layer is of its own class."""
    return keras.Sequential(
        [keras.Input((networks.FEATURES,)), networks.plain_mlp()]
    )


NETWORKS = [sequential, functional, subclassed, nested]
OPTIMIZERS = {
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "adam": lambda: keras.optimizers.Adam(0.01),
    "scaled": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.1, momentum=0.9)
    ),
}


def wrap(network, epsilon=0.2):
    return amp_keras.AMPModel(network, epsilon=epsilon)


def compiled(model, optimizer="momentum"):
    model.compile(OPTIMIZERS[optimizer](), networks.classifier_loss())
    return model


def trained(model, steps=2):
    x, y = networks.data()
    for _ in range(steps):
        model.train_on_batch(x, y)
    return model


def state(model):
    variables = [*model.weights, *model.optimizer.variables]
    return [v.numpy() for v in variables]


def assert_same(values, others):
    for a, b in zip(values, others, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("network", NETWORKS)
def test_lists_are_those_of_the_plain_network(network):
    plain = network()
    model = wrap(plain)
    for name in (
        "variables",
        "weights",
        "trainable_variables",
        "trainable_weights",
        "non_trainable_weights",
    ):
        own, wrapped = getattr(model, name), getattr(plain, name)
        assert [id(v) for v in own] == [id(v) for v in wrapped]
    assert model.count_params() == plain.count_params()
    other = wrap(network())
    other.set_weights([w + 1.0 for w in plain.get_weights()])
    plain.set_weights(other.get_weights())
    assert_same(model.get_weights(), other.get_weights())


@pytest.mark.skipif(BACKEND == "jax", reason="the step on JAX is passed it")
def test_non_trainable_variables_are_those_of_the_plain_network():
    model = wrap(sequential())
    own, plain = (m.non_trainable_variables for m in (model, model.model))
    assert [id(v) for v in own] == [id(v) for v in plain]


@pytest.mark.skipif(BACKEND != "jax", reason="the step on JAX is passed it")
def test_whatever_is_assigned_to_what_the_step_is_passed_epsilon_counts():
    model = amp_keras.AMPModel(
        sequential(), epsilon=0.2, inner_lr=1e6, log_perturbation=True
    )
    compiled(model)
    for variable in model.non_trainable_variables:
        variable.assign(np.zeros(variable.shape))
    logs = model.train_on_batch(*networks.data(), return_dict=True)
    np.testing.assert_allclose(logs["perturbation_norm"], 0.2, rtol=1e-5)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_model_around_it_does_not_see_epsilon(network):
    inputs = keras.Input((networks.FEATURES,))
    plain = network()
    outer = keras.Model(inputs, wrap(plain)(inputs))
    own, wrapped = outer.non_trainable_variables, plain.non_trainable_variables
    assert [id(v) for v in own] == [id(v) for v in wrapped]
    assert len(outer.variables) == len(plain.variables)
    x, _ = networks.data()
    outputs = [model.predict(x, verbose=0) for model in (outer, plain)]
    np.testing.assert_array_equal(*outputs)


@pytest.mark.skipif(BACKEND != "torch", reason="lists of PyTorch")
def test_torch_does_not_see_epsilon():
    model = wrap(sequential())
    assert len(list(model.parameters())) == len(model.model.weights)
    for names in (model.state_dict(), dict(model.named_parameters())):
        assert names and not [name for name in names if "epsilon" in name]


@pytest.mark.parametrize(
    "network, optimizer", zip(NETWORKS[:3], OPTIMIZERS, strict=True)
)
def test_weights_file_is_that_of_the_plain_network(
    network, optimizer, tmp_path
):
    """At epsilon 0 both train alike, so the files are the same, and go on."""
    plain = trained(compiled(network(), optimizer))
    model = trained(compiled(wrap(network(), 0.0), optimizer))
    paths = tmp_path / "plain.weights.h5", tmp_path / "amp.weights.h5"
    plain.save_weights(paths[0])
    model.save_weights(paths[1])
    h5.assert_same_arrays(*paths)
    names = h5.arrays_of(paths[0])
    assert [name for name in names if name.startswith("optimizer/")]

    trained(plain, 1), trained(model, 1)
    for path, loaded in zip(
        reversed(paths), (network(), wrap(network(), 0.0)), strict=True
    ):
        compiled(loaded, optimizer).optimizer.build(loaded.trainable_variables)
        loaded.load_weights(path)
        trained(loaded, 1)
        assert_same(state(loaded), state(plain))
    assert_same(state(model), state(plain))


@pytest.mark.parametrize("network", NETWORKS)
def test_weights_file_of_a_network_that_is_not_compiled(network, tmp_path):
    plain, model = network(), wrap(network())
    path = tmp_path / "a.weights.h5"
    model.set_weights([w + 1.0 for w in model.get_weights()])
    model.save_weights(path)
    plain.load_weights(path)
    assert_same(plain.get_weights(), model.get_weights())
    plain.set_weights([w + 1.0 for w in plain.get_weights()])
    plain.save_weights(path)
    model.load_weights(path)
    assert_same(plain.get_weights(), model.get_weights())


def test_sharded_weights_files(tmp_path):
    path = tmp_path / "a.weights.json"
    model = trained(compiled(wrap(sequential())))
    model.save_weights(path, max_shard_size=1)
    plain = sequential()
    plain.load_weights(path)
    assert_same(plain.get_weights(), model.get_weights())
    other = wrap(sequential())
    other.load_weights(path)
    assert_same(other.get_weights(), model.get_weights())


def test_mismatch_is_skipped_if_asked(tmp_path):
    path = tmp_path / "a.weights.h5"
    model = wrap(sequential())
    model.set_weights([w + 1.0 for w in model.get_weights()])
    model.save_weights(path)
    other = keras.Sequential(
        [keras.Input((networks.FEATURES,)), layers.Dense(16), layers.Dense(7)]
    )
    last = other.layers[1].get_weights()
    with pytest.warns(UserWarning, match="could not be loaded"):
        wrap(other).load_weights(path, skip_mismatch=True)
    assert_same(other.layers[0].get_weights(), model.get_weights()[:2])
    assert_same(other.layers[1].get_weights(), last)


def test_the_optimizer_of_the_network_is_its_own(tmp_path):
    plain = trained(compiled(sequential(), "adam"))
    own, values = (
        plain.optimizer,
        [v.numpy() for v in plain.optimizer.variables],
    )
    model = trained(compiled(wrap(plain)))
    model.save_weights(tmp_path / "a.weights.h5")
    model.load_weights(tmp_path / "a.weights.h5")
    assert plain.optimizer is own
    assert_same([v.numpy() for v in own.variables], values)
    other = wrap(sequential())
    other.save_weights(tmp_path / "b.weights.h5")
    assert not hasattr(other.model, "optimizer")


def test_loading_weights_leaves_epsilon_as_it_is(tmp_path):
    path = tmp_path / "a.weights.h5"
    wrap(sequential(), 0.0).save_weights(path)
    model = wrap(sequential(), 0.5)
    model.load_weights(path)
    assert model.epsilon == 0.5


@pytest.mark.parametrize("network", NETWORKS[:3])
def test_weights_of_a_saved_model_are_read(network, tmp_path):
    """Whether it was saved as an `AMPModel` or plain."""
    model = trained(compiled(wrap(network(), 0.5)))
    model.save(tmp_path / "amp.keras")
    model.model.save(tmp_path / "plain.keras")
    for name in ("amp.keras", "plain.keras"):
        other = wrap(network(), 0.3)
        other.load_weights(tmp_path / name)
        assert_same(other.get_weights(), model.get_weights())
        assert other.epsilon == 0.3


def test_weights_that_keras_saves_of_the_wrapper_are_read(tmp_path):
    """By a function of Keras instead of the method."""
    model = trained(compiled(wrap(sequential())))
    for name, shard in [("a.weights.h5", None), ("a.weights.json", 1)]:
        keras.saving.save_weights(model, tmp_path / name, max_shard_size=shard)
        other = wrap(sequential())
        other.load_weights(tmp_path / name)
        assert_same(other.get_weights(), model.get_weights())


def test_missing_and_damaged_files_are_refused_as_keras_does(tmp_path):
    model = wrap(sequential())
    with pytest.raises(FileNotFoundError, match="missing.weights.h5"):
        model.load_weights(tmp_path / "missing.weights.h5")
    (tmp_path / "damaged.weights.h5").write_bytes(b"\x00" * 100)
    with pytest.raises(OSError, match="signature not found"):
        model.load_weights(tmp_path / "damaged.weights.h5")
    with pytest.raises(ValueError, match="must end in `.weights.h5`"):
        model.save_weights(tmp_path / "a.npz")


def test_state_tree_has_no_epsilon():
    """On which Orbax checkpoints are built."""
    model = trained(compiled(wrap(sequential(), 0.5)))
    tree = model.get_state_tree("numpy_array")
    assert "epsilon" not in str(tree)
    other = compiled(wrap(sequential(), 0.25))
    other.optimizer.build(other.trainable_variables)
    weights = [w + 1.0 for w in model.get_weights()]
    other.set_weights(weights)
    other.set_state_tree({**tree, "optimizer_variables": {}})
    assert other.epsilon == 0.25
    assert other._epsilon.variable.numpy() == 0.25


def test_state_tree_with_an_epsilon_changes_none():
    """The step's radius is that of the model, whatever the tree has."""
    model = wrap(sequential(), 0.5)
    tree = {"non_trainable_variables": {"amp_epsilon": np.float32(0.0)}}
    model.set_state_tree(tree)
    assert model._epsilon.variable.numpy() == 0.5
