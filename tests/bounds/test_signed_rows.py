"""Sums of nonnegative terms are nonnegative, rounding or not: such neurons are stable, not nearly so."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from netopt.bounds.compute import compute_bounds
from netopt.network.build import from_weights
from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.identity import Identity
from netopt.network.linear_map import LinearMap
from netopt.network.sparse import Sparse
from netopt.specification.box import Box


def _maps() -> list[LinearMap]:
    generator = np.random.default_rng(0)
    kernel = generator.normal(size=(3, 2, 2, 2))
    kernel[0], kernel[1] = np.abs(kernel[0]), -np.abs(kernel[1])
    matrix = generator.normal(size=(5, 4)) * (generator.random((5, 4)) < 0.5)
    matrix[0], matrix[1], matrix[2] = np.abs(matrix[0]), -np.abs(matrix[1]), 0.0
    stored = sparse.csr_array(matrix)
    stored.data[0] = 0.0  # a stored zero has no sign
    return [
        Dense(matrix),
        Sparse(stored),
        Sparse(sparse.csr_array((3, 4))),
        Identity(4),
        Convolution(kernel, (2, 3, 3)),
    ]


@pytest.mark.parametrize("linear_map", _maps(), ids=lambda linear_map: type(linear_map).__name__)
def test_rows_of_one_sign_are_known(linear_map: LinearMap) -> None:
    matrix = linear_map.to_csr().toarray()
    no_negative, no_positive = linear_map.signed_rows
    assert no_negative.tolist() == (matrix >= 0.0).all(axis=1).tolist()
    assert no_positive.tolist() == (matrix <= 0.0).all(axis=1).tolist()


@pytest.mark.parametrize("level", ["interval", "crown"])
def test_neurons_that_add_nonnegative_terms_are_active(level: str) -> None:
    generator = np.random.default_rng(1)
    first = np.abs(generator.normal(size=(6, 7)))
    second = np.concatenate([np.abs(generator.normal(size=(3, 6))), -np.abs(generator.normal(size=(3, 6)))])
    network = from_weights([first, second, np.ones((1, 6))], [np.zeros(6), np.zeros(6), np.zeros(1)])
    bounds = compute_bounds(network, Box(np.zeros(7), np.ones(7)), level)
    assert (bounds.lower["layer1.relu"] == 0.0).all()
    assert (bounds.lower["layer2.relu"][:3] == 0.0).all()
    assert (bounds.upper["layer2.relu"][3:] == 0.0).all()
    assert bounds.unstable_count == 0


def test_a_negative_bias_input_or_weight_leaves_a_neuron_unstable() -> None:
    for lower, bias, weight in ((-1e-300, 0.0, 1.0), (0.0, -1e-300, 1.0), (0.0, 0.0, -1e-300)):
        network = from_weights([[[1.0, weight]], [[1.0]]], [[bias], [0.0]])
        bounds = compute_bounds(network, Box(np.full(2, lower), np.ones(2)), "interval")
        assert bounds.lower["layer1.relu"][0] < 0.0
