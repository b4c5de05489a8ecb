"""Channels made by 1x1 convolutions and never negative are written into the convolutions that read them."""

from __future__ import annotations

import numpy as np
import pytest

from netopt.bounds.compute import compute_bounds
from netopt.network.composition import compose, composed_parameters
from netopt.network.convolution import Convolution
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine, Relu
from netopt.reduction import convolutions
from netopt.reduction.reduce import reduce_network
from netopt.specification.box import Box


@pytest.fixture(autouse=True)
def _convolutions_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small ones would be written out as matrices."""
    monkeypatch.setattr(convolutions, "_SMALL", 0)
    monkeypatch.setattr(convolutions, "_SHARE", 0.0)


def _network(lift: np.ndarray, bias: np.ndarray, reader: Convolution) -> Network:
    first = Convolution(lift[:, :, None, None], (lift.shape[1], 5, 6))
    nodes = (
        Affine("lift", (INPUT,), (first,), np.repeat(bias, 30)),
        Relu("lift.relu", "lift", first.out_size),
        Affine("last", ("lift.relu",), (reader,), np.zeros(reader.out_size)),
    )
    shapes = (1, lift.shape[1], 5, 6), (1, *reader.out_shape)
    return Network(nodes, "last", (TensorSpec("X", shapes[0]),), (TensorSpec("Y", shapes[1]),))


@pytest.mark.parametrize("padded", [False, True])
def test_active_channels_vanish_and_the_others_stay(padded: bool) -> None:
    generator = np.random.default_rng(0)
    lift, bias = np.abs(generator.normal(size=(8, 2))), np.abs(generator.normal(size=8))
    lift[3], bias[3:5] = [1.0, -1.0], [0.0, -0.5]  # two channels that are not always active
    reader = Convolution(generator.normal(size=(3, 8, 2, 3)), (8, 5, 6), (2, 1), (1, 0, 2, 1) if padded else (0,) * 4)
    network, box = _network(lift, bias, reader), Box(np.zeros(60), np.ones(60))
    reduction = reduce_network(network, box, compute_bounds(network, box))
    x = generator.uniform(size=(200, 60))
    assert reduction.network.forward(x) == pytest.approx(network.forward(x), rel=1e-12, abs=1e-12)
    assert reduction.kept["lift.relu"].size == 2 * 30
    assert all(isinstance(m, Convolution) for node in reduction.network.affines for m in node.maps)
    assert reduction.after.weights < reduction.before.weights


def test_channels_small_enough_to_write_out_still_vanish_into_a_reader_that_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(convolutions, "_SMALL", 8 * 2 * 30)  # the lift; the reader has 24 pixels of 3 x 8 x 2 x 3 each
    generator = np.random.default_rng(4)
    reader = Convolution(generator.normal(size=(3, 8, 2, 3)), (8, 5, 6), (1, 1), (1, 0, 0, 1))
    network, box = _network(np.abs(generator.normal(size=(8, 2))), np.ones(8), reader), Box(np.zeros(60), np.ones(60))
    reduction = reduce_network(network, box, compute_bounds(network, box))
    x = generator.uniform(size=(200, 60))
    assert reduction.network.forward(x) == pytest.approx(network.forward(x), rel=1e-12, abs=1e-12)
    assert reduction.network.relu_count == 0
    assert reduction.after.weights <= 3 * 2 * 2 * 3


def test_channels_stay_where_writing_them_out_stores_more() -> None:
    generator = np.random.default_rng(1)
    lift = np.abs(generator.normal(size=(2, 9)))
    reader = Convolution(generator.normal(size=(4, 2, 3, 3)), (2, 5, 6))
    network, box = _network(lift, np.zeros(2), reader), Box(np.zeros(270), np.ones(270))
    reduction = reduce_network(network, box, compute_bounds(network, box))
    assert reduction.after == reduction.before


def test_a_convolution_after_a_pointwise_one_is_one_convolution() -> None:
    generator = np.random.default_rng(2)
    outer = Convolution(generator.normal(size=(3, 4, 2, 2)), (4, 5, 6), (1, 2), (1, 0, 0, 1), (2, 1))
    inner = Convolution(generator.normal(size=(4, 2, 1, 1)), (2, 5, 6))
    product = compose(outer, inner)
    assert isinstance(product, Convolution)
    assert product.parameters == composed_parameters(outer, inner) == 3 * 2 * 4
    expected = outer.to_csr().toarray() @ inner.to_csr().toarray()
    assert product.to_csr().toarray() == pytest.approx(expected)
    for other in (
        Convolution(inner.weight, (2, 9, 11), (2, 2)),
        Convolution(inner.weight, (2, 3, 4), pads=(1, 1, 1, 1)),
    ):
        assert other.out_shape == (4, 5, 6)
        assert composed_parameters(outer, other) is None
