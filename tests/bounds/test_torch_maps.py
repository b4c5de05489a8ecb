"""Linear maps in torch: equal to NumPy's, with every layout of a convolution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from netopt.bounds.torch_maps import torch_map
from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.linear_map import LinearMap
from netopt.network.sparse import Sparse

torch = pytest.importorskip("torch")

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU on this machine")
    ),
]


def assert_equal(linear_map: LinearMap, device: str) -> None:
    """Compare both products with float64's."""
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(3, linear_map.in_size)), generator.normal(size=(3, linear_map.out_size))
    found = torch_map(linear_map, device)
    for given_rows, apply, expected in (
        (x, found.apply, linear_map.apply(x)),
        (y, found.apply_transpose, linear_map.apply_transpose(y)),
    ):
        value = apply(torch.tensor(given_rows, dtype=torch.float32, device=device)).cpu().numpy()
        assert value.shape == expected.shape
        assert np.allclose(value, expected, rtol=1e-4, atol=1e-4 * (1.0 + np.abs(expected).max()))


@pytest.mark.parametrize("device", DEVICES)
@given(
    channels=st.sampled_from([(2, 3, 1), (4, 2, 2), (3, 3, 3)]),
    image=st.tuples(st.integers(5, 9), st.integers(5, 9)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    pads=st.tuples(*(st.integers(0, 2) for _ in range(4))),
    dilations=st.tuples(st.integers(1, 2), st.integers(1, 2)),
)
@settings(max_examples=20, deadline=None)
def test_convolutions(
    device: str,
    channels: tuple[int, int, int],
    image: tuple[int, int],
    kernel: tuple[int, int],
    strides: tuple[int, int],
    pads: tuple[int, int, int, int],
    dilations: tuple[int, int],
) -> None:
    before, after, groups = channels
    after *= groups
    weight = np.random.default_rng(1).normal(size=(after, before // groups, *kernel))
    for some in (pads, (pads[0], pads[1], pads[0], pads[1])):
        assert_equal(Convolution(weight, (before, *image), strides, some, dilations, groups), device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5])
def test_matrices(device: str, share: float) -> None:
    generator = np.random.default_rng(2)
    weight = generator.normal(size=(30, 40)) * (generator.random((30, 40)) < share)
    assert_equal(Sparse(sparse.csr_array(weight)), device)
    assert_equal(Dense(weight), device)
