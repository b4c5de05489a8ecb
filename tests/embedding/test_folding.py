import numpy as np
import pytest
from scipy import sparse

from netopt.embedding.folding import fold_inputs
from netopt.network.build import from_weights
from netopt.network.load import load_network
from netopt.network.network import INPUT
from netopt.network.nodes import Affine


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
