"""Gradients against finite differences, on layered, branching and sparse networks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from netopt.errors import InputError
from netopt.network.build import from_weights
from netopt.network.dense import Dense
from netopt.network.gradient import value_and_gradient
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine, Relu
from netopt.network.sparse import Sparse


def perceptron(rng: np.random.Generator, sizes: list[int]) -> Network:
    weights = [rng.standard_normal((b, a)) for a, b in itertools.pairwise(sizes)]
    return from_weights(weights, [rng.standard_normal(w.shape[0]) for w in weights])


def residual(rng: np.random.Generator) -> Network:
    """Two branches and the input itself added; one branch unused; the output is a Relu."""
    nodes = (
        Affine("a", (INPUT,), (Dense(rng.standard_normal((6, 4))),), rng.standard_normal(6)),
        Relu("r", "a", 6),
        Affine("unused", ("r",), (Dense(rng.standard_normal((3, 6))),), np.zeros(3)),
        Affine(
            "b", ("r",), (Sparse(sparse.csr_array(sparse.random_array((6, 6), density=0.4, rng=rng))),), np.zeros(6)
        ),
        Affine(
            "sum",
            ("b", "r", INPUT),
            (Dense(np.eye(6)), Dense(rng.standard_normal((6, 6))), Dense(rng.standard_normal((6, 4)))),
            rng.standard_normal(6),
        ),
        Relu("out", "sum", 6),
        Affine("after", ("out",), (Dense(np.ones((1, 6))),), np.zeros(1)),
    )
    return Network(nodes, "out", (TensorSpec("X", (1, 4)),), (TensorSpec("Y", (1, 6)),))


def check(network: Network, rng: np.random.Generator) -> None:
    x = rng.standard_normal((5, network.input_size))
    weights = rng.standard_normal((5, network.output_size))
    y, gradient = value_and_gradient(network, x, weights)
    assert np.allclose(y, network.forward(x), rtol=1e-13, atol=1e-13)
    step = 1e-7
    for k in range(network.input_size):
        shift = np.zeros(network.input_size)
        shift[k] = step
        numeric = (weights * (network.forward(x + shift) - network.forward(x - shift))).sum(axis=1) / (2.0 * step)
        assert np.allclose(gradient[:, k], numeric, rtol=1e-5, atol=1e-5)


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 7), min_size=2, max_size=5))
def test_perceptrons(seed: int, sizes: list[int]) -> None:
    rng = np.random.default_rng(seed)
    check(perceptron(rng, sizes), rng)


@pytest.mark.parametrize("seed", range(5))
def test_branches(seed: int) -> None:
    rng = np.random.default_rng(seed)
    check(residual(rng), rng)


def test_cotangent_may_depend_on_the_outputs() -> None:
    rng = np.random.default_rng(0)
    network = perceptron(rng, [3, 8, 2])
    x = rng.standard_normal((4, 3))
    y, gradient = value_and_gradient(network, x, lambda outputs: 2.0 * outputs)  # gradient of |y|^2
    _, direct = value_and_gradient(network, x, 2.0 * y)
    assert np.array_equal(gradient, direct)


def test_constant_output_has_no_gradient() -> None:
    network = from_weights([np.zeros((2, 3)), np.zeros((1, 2))], [-np.ones(2), np.ones(1)])
    y, gradient = value_and_gradient(network, np.ones((2, 3)), np.ones((2, 1)))
    assert y.tolist() == [[1.0], [1.0]]
    assert gradient.tolist() == [[0.0] * 3] * 2


def test_refuses_wrong_shapes() -> None:
    network = perceptron(np.random.default_rng(0), [3, 2])
    with pytest.raises(InputError, match="takes batches of 3 inputs"):
        value_and_gradient(network, np.zeros(3), np.zeros((1, 2)))
    with pytest.raises(InputError, match="cotangent"):
        value_and_gradient(network, np.zeros((1, 3)), np.zeros((1, 3)))
