import keras
import networks
import numpy as np
import pytest
import tiny_nets

from amp_keras.evaluation import LossSurface
from amp_keras.evaluation import eigenvalues
from amp_keras.evaluation import loss_against_radius
from amp_keras.evaluation import loss_slices
from amp_keras.evaluation import trace

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class Batches(keras.utils.PyDataset):
    def __init__(self, *arrays):
        super().__init__()
        self.arrays = arrays

    def __len__(self):
        return 3

    def __getitem__(self, index):
        part = slice(8 * index, 8 * index + 8)
        return tuple(array[part] for array in self.arrays)


def tf_data(*arrays):
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices(arrays).batch(8)


FORMS = {
    "arrays": lambda *arrays: arrays,
    "PyDataset": Batches,
    "tf.data": tf_data,
    "list": lambda *arrays: [a for a in Batches(*arrays)],
}


@pytest.mark.parametrize("form", FORMS)
def test_means_are_over_examples_not_over_batches(form):
    """There are 20 examples, in batches of 8, 8 and 4."""
    model = tiny_nets.network()
    x, labels = tiny_nets.data()
    weights = np.random.default_rng(1).uniform(0.0, 2.0, len(x))
    arrays = FORMS[form](x, labels, weights.astype("float32"))
    surface = LossSurface(model, arrays, CROSS_ENTROPY, batch_size=8)
    flat = surface.weights
    for moved in (flat, flat + 0.3):
        loss, gradient = tiny_nets.loss_and_gradient(
            moved, x, labels, tiny_nets.cross_entropy, weights
        )
        assert surface.losses(moved).data == pytest.approx(loss, rel=1e-5)
        np.testing.assert_allclose(
            surface.gradient(moved), gradient, rtol=1e-4, atol=1e-6
        )
    assert surface.losses() == surface.losses(flat)


def test_first_batches_only():
    x, labels = tiny_nets.data()
    model = tiny_nets.network()
    surface = LossSurface(
        model, (x, labels), CROSS_ENTROPY, batch_size=4, max_batches=2
    )
    expected, _ = tiny_nets.loss_and_gradient(
        surface.weights, x[:8], labels[:8], tiny_nets.cross_entropy
    )
    assert surface.losses().data == pytest.approx(expected, rel=1e-5)


def noisy_model():
    """Two outputs, batch normalization, dropout and regularizers."""
    model = networks.noisy_two_outputs()
    x, y = networks.data()
    y = {"label": y, "value": x[:, :1]}
    model.compile(
        "adam",
        {"label": CROSS_ENTROPY, "value": "mse"},
        loss_weights={"label": 1.0, "value": 0.5},
        metrics={"label": ["accuracy"]},
    )
    model.fit(x, y, epochs=2, verbose=0)
    return model, (x, y)


def test_losses_are_those_of_evaluate():
    model, data = noisy_model()
    surface = LossSurface(model, data, batch_size=20)
    losses = surface.losses()
    total = model.evaluate(*data, batch_size=20, verbose=0, return_dict=True)
    assert losses.total == pytest.approx(total["loss"], rel=1e-5)
    kernel = model.layers[1].kernel.numpy()
    penalty = 0.01 * np.sum(kernel**2)
    assert losses.total - losses.data == pytest.approx(penalty, rel=1e-3)


def everything(model):
    variables = [
        *model.variables,
        *model.metrics_variables,
        *model.optimizer.variables,
    ]
    return [keras.ops.convert_to_numpy(v.value) for v in variables]


def test_model_is_left_bit_for_bit_as_it_was():
    model, data = noisy_model()
    before = everything(model)
    x, _ = data
    predictions = model.predict(x, verbose=0)
    surface = LossSurface(model, data, batch_size=20, regularized=True)
    surface.losses(surface.weights + 1.0)
    eigenvalues(surface, max_iterations=2)
    trace(surface, samples=1)
    loss_against_radius(surface, [0.1], inner_iters=2)
    loss_slices(surface, [0.5])
    for old, new in zip(before, everything(model), strict=True):
        np.testing.assert_array_equal(old, new)
    keras.tree.map_structure(
        np.testing.assert_array_equal, predictions, model.predict(x, verbose=0)
    )
    model.fit(*data, verbose=0)


def test_regularized_gradient_has_the_regularizers_gradient():
    model = tiny_nets.network()
    model.layers[0].kernel.regularizer = keras.regularizers.L2(0.5)
    data = tiny_nets.data()
    plain = LossSurface(model, data, CROSS_ENTROPY)
    regularized = LossSurface(model, data, CROSS_ENTROPY, regularized=True)
    difference = plain.split(regularized.gradient() - plain.gradient())
    kernel = model.layers[0].kernel.numpy()
    np.testing.assert_allclose(difference[0], kernel, rtol=1e-4)
    assert not np.any(difference[2])
    vector = np.ones(plain.weights.size)
    products = [
        surface.hessian_vector_product(vector)
        for surface in (regularized, plain)
    ]
    difference = plain.split(products[0] - products[1])
    np.testing.assert_allclose(difference[0], 1.0, rtol=1e-3)
    assert plain.losses() == regularized.losses()


def test_selection_is_a_part_of_gradient_and_hessian():
    model, data = tiny_nets.network(), tiny_nets.data()
    whole = LossSurface(model, data, CROSS_ENTROPY)
    kernels = [layer.kernel for layer in model.layers]
    gradient = whole.split(whole.gradient())
    for choice in ("kernel", kernels, lambda v: len(v.shape) == 2):
        part = LossSurface(model, data, CROSS_ENTROPY, variables=choice)
        assert [v.path for v in part.variables] == [v.path for v in kernels]
        np.testing.assert_allclose(
            part.gradient(),
            np.concatenate([gradient[0].ravel(), gradient[2].ravel()]),
            rtol=1e-4,
            atol=1e-6,
        )
    assert part.weights_norm == pytest.approx(
        np.sqrt(sum(np.sum(k.numpy() ** 2) for k in kernels))
    )
    vector = np.random.default_rng(0).normal(size=part.weights.size)
    of_first, of_second = part.split(vector)
    filled = [of_first, np.zeros(4), of_second, np.zeros(3)]
    product = whole.split(
        whole.hessian_vector_product(
            np.concatenate([f.ravel() for f in filled])
        )
    )
    np.testing.assert_allclose(
        part.hessian_vector_product(vector),
        np.concatenate([product[0].ravel(), product[2].ravel()]),
        rtol=1e-3,
        atol=1e-5,
    )


def test_progress_bar_is_shown_if_asked_for(capsys):
    model, data = tiny_nets.network(), tiny_nets.data()
    trace(LossSurface(model, data, CROSS_ENTROPY), samples=3)
    assert capsys.readouterr().out == ""
    trace(LossSurface(model, data, CROSS_ENTROPY, verbose=1), samples=3)
    assert "3/3" in capsys.readouterr().out


def test_bad_arguments_are_refused():
    model, (x, y) = tiny_nets.network(), tiny_nets.data()
    with pytest.raises(ValueError, match="that is built. Received: model="):
        LossSurface(keras.Sequential([keras.layers.Dense(2)]), (x, y), "mse")
    with pytest.raises(ValueError, match="`loss` must be given for a model"):
        LossSurface(model, (x, y))
    with pytest.raises(ValueError, match="of lengths .19, 20."):
        LossSurface(model, (x, y[1:]), CROSS_ENTROPY)
    with pytest.raises(ValueError, match="Received: variables='gamma'"):
        LossSurface(model, (x, y), CROSS_ENTROPY, variables="gamma")
    other = tiny_nets.network().variables
    with pytest.raises(ValueError, match="Received: variables="):
        LossSurface(model, (x, y), CROSS_ENTROPY, variables=other)
    with pytest.raises(ValueError, match="must have at least one batch"):
        LossSurface(model, [], CROSS_ENTROPY)
    with pytest.raises(ValueError, match="each time it is iterated over"):
        LossSurface(model, iter([(x, y)]), CROSS_ENTROPY)


@pytest.mark.skipif(
    keras.config.backend() != "torch", reason="It is a layer for PyTorch."
)
def test_wrapped_torch_module_is_refused_by_name():
    import torch

    wrapped = keras.layers.TorchModuleWrapper(torch.nn.Linear(3, 3))
    out = keras.layers.Dense(3, name="out")
    model = keras.Sequential([keras.Input((3,)), wrapped, out])
    data = tiny_nets.data()
    model(data[0])
    with pytest.raises(ValueError, match="Variables of a `TorchModuleWrapper`"):
        LossSurface(model, data, CROSS_ENTROPY)
    surface = LossSurface(model, data, CROSS_ENTROPY, variables="out")
    assert np.any(surface.gradient())


class OwnLoss(keras.Model):
    def compute_loss(self, **kwargs):
        return 0.0


def test_own_compute_loss_needs_a_loss():
    model = OwnLoss()
    model.built = True
    model.compile(loss="mse")
    model.vector = model.add_weight(shape=(2,))
    with pytest.raises(ValueError, match="that defines `compute_loss"):
        LossSurface(model, tiny_nets.data())
