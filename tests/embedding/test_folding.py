from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from netopt.embedding.folding import fold_inputs, fold_mask
from netopt.errors import InputError
from netopt.network.build import from_weights
from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.load import load_network
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine, Relu
from netopt.network.sparse import Sparse
from netopt.pruning.apply import apply_mask
from netopt.pruning.mask import Mask
from netopt.pruning.prune import prune


def affine(generator: np.random.Generator, size: int, columns: int) -> tuple[sparse.csr_array, np.ndarray]:
    """At most one entry a row, some rows constant."""
    column = generator.integers(0, columns, size)
    factor = generator.choice([1.0, -2.0, 0.5, 0.0], size)
    matrix = sparse.csr_array((factor, (np.arange(size), column)), shape=(size, columns))
    matrix.eliminate_zeros()
    return matrix, generator.normal(size=size)


@pytest.mark.parametrize("seed", range(5))
def test_the_folded_network_is_the_composition(seed) -> None:
    generator = np.random.default_rng(seed)
    network = from_weights([generator.normal(size=(4, 6)), generator.normal(size=(2, 4))], [np.ones(4), np.zeros(2)])
    matrix, constant = affine(generator, 6, 3)
    folded = fold_inputs(network, matrix, constant)
    w = generator.normal(size=(50, 3))
    np.testing.assert_allclose(folded.forward(w), network.forward(w @ matrix.toarray().T + constant), atol=1e-12)
    assert [relu.name for relu in folded.relus] == [relu.name for relu in network.relus]
    assert len(folded.nodes) == len(network.nodes)


def test_plain_inputs_leave_the_network_alone() -> None:
    network = from_weights([np.ones((2, 3))], [np.zeros(2)])
    assert fold_inputs(network, sparse.csr_array(np.eye(3)), np.zeros(3)) is network


@pytest.mark.parametrize("uniform", [True, False])
def test_a_convolution_keeps_its_structure(uniform) -> None:
    network = load_network("instances/networks/mnist-cnn.onnx")
    generator = np.random.default_rng(0)
    factor = np.full(784, 0.5) if uniform else generator.uniform(0.5, 2.0, 784)
    matrix, constant = sparse.csr_array(np.diag(factor)), generator.normal(size=784)
    folded = fold_inputs(network, matrix, constant)
    w = generator.uniform(size=(3, 784))
    np.testing.assert_allclose(folded.forward(w), network.forward(w * factor + constant), atol=1e-9)
    first = next(node for node in folded.nodes if isinstance(node, Affine) and INPUT in node.inputs)
    assert folded.parameters <= network.parameters + 2 * 784
    assert (first.name == "input.scaled") is not uniform


def sparse_first(generator: np.random.Generator):
    """Return a 6-8-2 network whose first layer is stored sparse."""
    network = from_weights([generator.normal(size=(8, 6)), generator.normal(size=(2, 8))], [np.ones(8), np.zeros(2)])
    first = network.affines[0]
    weight = sparse.csr_array(np.where(generator.random((8, 6)) < 0.6, first.maps[0].weight, 0.0))
    nodes = tuple(replace(node, maps=(Sparse(weight),)) if node is first else node for node in network.nodes)
    return network.with_nodes(nodes)


@pytest.mark.parametrize("kind", ["dense", "sparse", "convolution", "convolution of its own scales"])
def test_a_folded_mask_removes_what_the_mask_does(kind) -> None:
    generator = np.random.default_rng(0)
    if kind.startswith("convolution"):
        network = load_network("instances/networks/mnist-cnn.onnx")
        factor = generator.uniform(0.5, 2.0, 784) if kind != "convolution" else np.full(784, -2.0)
        matrix = sparse.csr_array(np.diag(factor))
    else:
        network = sparse_first(generator)
        if kind == "dense":
            network = from_weights(
                [generator.normal(size=(8, 6)), generator.normal(size=(2, 8))], [np.ones(8), np.ones(2)]
            )
        factor = generator.uniform(0.5, 2.0, 6)
        matrix = sparse.csr_array((factor, (np.arange(6), generator.permutation(6))), shape=(6, 6))
    mask = prune(network, "random", 0.5).mask
    mask = replace(mask, factors=dict.fromkeys(mask.kept, 1.25))
    folded = fold_inputs(network, matrix, np.zeros(factor.size))
    moved = fold_mask(mask, network, folded, matrix)
    moved.require(folded)
    w = generator.normal(size=(20, factor.size))
    expected = apply_mask(network, mask).forward((matrix @ w.T).T)
    np.testing.assert_allclose(apply_mask(folded, moved).forward(w), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("stored", ["dense", "sparse"])
def test_a_weight_of_repeated_inputs_stays_where_one_of_them_does(stored) -> None:
    weight = np.array([[1.0, 2.0, 4.0, 0.5], [8.0, 16.0, 32.0, 0.25]])
    network = from_weights([weight, [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    if stored == "sparse":
        first = network.affines[0]
        thin = replace(first, maps=(Sparse(sparse.csr_array(weight)),))
        network = network.with_nodes(tuple(thin if node is first else node for node in network.nodes))
    kept = {
        "layer1.affine": np.array([[True, False, False, True], [False, False, True, True]]),
        "output.affine": np.ones((1, 2), bool),
    }
    if stored == "sparse":
        kept["layer1.affine"] = kept["layer1.affine"].ravel()
    mask = Mask(kept, "by hand", 0.5, network.sha256)
    read = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 2.0]])  # w0, w0, constant, 2 w1
    matrix = sparse.csr_array(read)
    folded = fold_inputs(network, matrix, np.array([0.0, 0.0, 3.0, 0.0]))
    result = apply_mask(folded, fold_mask(mask, network, folded, matrix))
    np.testing.assert_allclose(result.forward([1.0, 10.0]), [3.0 + 12.0 + 10.0 + 96.0 + 5.0])


def test_masks_that_cannot_be_folded_are_refused() -> None:
    network = from_weights([np.ones((2, 3))], [np.zeros(2)])
    other = from_weights([np.full((2, 3), 2.0)], [np.zeros(2)])
    matrix = sparse.csr_array(np.diag([1.0, 2.0, 3.0]))
    mask = Mask({"output.affine": np.ones((2, 3), dtype=bool)}, "by hand", 0.5, other.sha256)
    with pytest.raises(InputError, match="belongs to the network with digest"):
        fold_mask(mask, network, fold_inputs(network, matrix, np.zeros(3)), matrix)
    image = colours()
    mask = prune(image, "random", 0.5).mask
    grey = sparse.csr_array(np.vstack([np.eye(16), np.eye(16)]))  # both channels are one variable's
    with pytest.raises(InputError, match="cannot follow input channels that are constant or repeated"):
        fold_mask(mask, image, fold_inputs(image, grey, np.zeros(32)), grey)


def colours() -> Network:
    """Return a convolution of two channels of 4 x 4 pixels."""
    kernel = Convolution(np.random.default_rng(0).normal(size=(3, 2, 3, 3)), (2, 4, 4), pads=(1, 1, 1, 1))
    nodes = (
        Affine("conv", (INPUT,), (kernel,), np.zeros(48)),
        Relu("relu", "conv", 48),
        Affine("output", ("relu",), (Dense(np.ones((1, 48))),), np.zeros(1)),
    )
    return Network(nodes, "output", (TensorSpec("X", (1, 2, 4, 4)),), (TensorSpec("Y", (1, 1)),))
