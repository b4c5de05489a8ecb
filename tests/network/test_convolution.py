from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from netopt.network.composition import add_maps, compose, composed_parameters, diagonal, selection
from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine
from netopt.network.sparse import Sparse


@st.composite
def convolutions(draw: st.DrawFn) -> Convolution:
    groups = draw(st.integers(1, 3))
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    dilations = (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    pads = tuple(draw(st.integers(0, 3)) for _ in range(4))
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    height = draw(st.integers(max(1, spans[0] - pads[0] - pads[2]), 6))
    width = draw(st.integers(max(1, spans[1] - pads[1] - pads[3]), 6))
    shape = (groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2)))
    weight = np.random.default_rng(draw(st.integers(0, 99))).normal(size=(shape[0], shape[1] // groups, *kernel))
    weight[np.abs(weight) < 0.3] = 0.0
    return Convolution(
        weight=weight,
        in_shape=(shape[1], height, width),
        strides=(draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        pads=pads,
        dilations=dilations,
        groups=groups,
    )


def by_definition(conv: Convolution) -> np.ndarray:
    """Return the matrix, written out entry by entry from the definition of cross-correlation."""
    matrix = np.zeros((*conv.out_shape, *conv.in_shape))
    out_channels, height, width = conv.out_shape
    a_group = out_channels // conv.groups
    for o, y, x in np.ndindex(out_channels, height, width):
        for c, i, j in np.ndindex(*conv.weight.shape[1:]):
            row = y * conv.strides[0] + i * conv.dilations[0] - conv.pads[0]
            column = x * conv.strides[1] + j * conv.dilations[1] - conv.pads[1]
            if 0 <= row < conv.in_shape[1] and 0 <= column < conv.in_shape[2]:
                matrix[o, y, x, o // a_group * conv.weight.shape[1] + c, row, column] += conv.weight[o, c, i, j]
    return matrix.reshape(conv.out_size, conv.in_size)


@given(convolutions())
def test_every_method_is_the_matrix(conv: Convolution) -> None:
    matrix = by_definition(conv)
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(3, conv.in_size)), generator.normal(size=(3, conv.out_size))
    np.testing.assert_allclose(conv.apply(x), x @ matrix.T, atol=1e-12)
    np.testing.assert_allclose(conv.apply_transpose(y), y @ matrix, atol=1e-12)
    np.testing.assert_allclose(conv.apply_abs(x), x @ np.abs(matrix).T, atol=1e-12)
    np.testing.assert_allclose(conv.apply_abs_transpose(y), y @ np.abs(matrix), atol=1e-12)
    csr = conv.to_csr()
    np.testing.assert_array_equal(csr.toarray(), matrix)
    assert csr.nnz == np.count_nonzero(matrix)
    rows = generator.integers(0, conv.out_size, size=4)
    np.testing.assert_array_equal(conv.to_csr(rows).toarray(), matrix[rows])
    assert (conv.fan_in >= np.diff(csr.indptr)).all()
    assert conv.fan_in.max() <= conv.weight[0].size


@given(convolutions())
def test_rows_scaled_by_channel_keep_the_structure(conv: Convolution) -> None:
    channels, height, width = conv.out_shape
    factor = np.repeat(np.arange(1.0, channels + 1.0), height * width)
    scaled = conv.scale_rows(factor)
    assert isinstance(scaled, Convolution)
    np.testing.assert_allclose(scaled.to_csr().toarray(), factor[:, None] * by_definition(conv))
    by_pixel = np.arange(1.0, conv.out_size + 1.0)
    np.testing.assert_allclose(conv.scale_rows(by_pixel).to_csr().toarray(), by_pixel[:, None] * by_definition(conv))


def test_no_rows() -> None:
    conv = Convolution(np.ones((1, 1, 2, 2)), (1, 3, 3))
    assert conv.to_csr(np.array([], dtype=np.int64)).shape == (0, 9)
    assert conv.apply(np.empty((0, 9))).shape == (0, 4)
    assert conv.apply_transpose(np.empty((0, 4))).shape == (0, 9)


def test_large_batches_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    conv = Convolution(np.random.default_rng(0).normal(size=(2, 1, 2, 2)), (1, 5, 5), pads=(1, 0, 0, 1))
    x = np.random.default_rng(1).normal(size=(7, 25))
    whole, back = conv.apply(x), conv.apply_transpose(conv.apply(x))
    rows = conv.to_csr()
    monkeypatch.setattr("netopt.network.convolution._CHUNK", 200)
    monkeypatch.setattr("netopt.network.convolution._ROW_CHUNK", 50)
    np.testing.assert_allclose(conv.apply(x), whole, rtol=1e-13)
    np.testing.assert_allclose(conv.apply_transpose(whole), back, rtol=1e-13)
    assert (conv.to_csr() != rows).nnz == 0


CONV = Convolution(np.random.default_rng(0).normal(size=(4, 2, 3, 3)), (2, 5, 4), pads=(1, 1, 1, 1), strides=(2, 1))
MOVED = Convolution(CONV.weight, CONV.in_shape, pads=(1, 1, 0, 0))
UNMOVED = Convolution(CONV.weight, CONV.in_shape, pads=(0, 0, 1, 1))
GROUPED = Convolution(np.random.default_rng(0).normal(size=(4, 1, 3, 3)), (2, 5, 4), groups=2)


def channels(index: list[int], factor: list[float], pixels: int, count: int) -> Sparse:
    """Return the map that picks and scales whole channels; -1 gives a zero channel."""
    rows = np.concatenate([np.where(i < 0, -1, i * pixels + np.arange(pixels)) for i in index])
    picked = selection(rows, count * pixels)
    return Sparse(sparse.csr_array(sparse.diags_array(np.repeat(factor, pixels)) @ picked.weight))


@pytest.mark.parametrize("conv", [CONV, GROUPED], ids=["plain", "grouped"])
def test_channel_scaling_is_merged_on_both_sides(conv: Convolution) -> None:
    before = diagonal(np.repeat([2.0, -1.0], 20))
    after = diagonal(np.repeat([1.0, 3.0, 0.5, -2.0], conv.out_size // 4))
    for outer, inner in ((conv, before), (after, conv)):
        assert composed_parameters(outer, inner) == conv.parameters
        product = compose(outer, inner)
        assert isinstance(product, Convolution)
        np.testing.assert_allclose(product.to_csr().toarray(), outer.to_csr().toarray() @ inner.to_csr().toarray())


def test_picked_channels_are_merged_without_groups() -> None:
    wider = channels([3, -1], [2.0, 1.0], 20, 5)
    product = compose(CONV, wider)
    assert isinstance(product, Convolution)
    np.testing.assert_allclose(product.to_csr().toarray(), CONV.to_csr().toarray() @ wider.to_csr().toarray())
    fewer = channels([2, 0], [1.0, 1.0], CONV.out_size // 4, 4)
    product = compose(fewer, CONV)
    assert isinstance(product, Convolution)
    np.testing.assert_allclose(product.to_csr().toarray(), fewer.to_csr().toarray() @ CONV.to_csr().toarray())


def test_picked_channels_of_groups_are_not_merged() -> None:
    assert composed_parameters(GROUPED, channels([1, 0], [1.0, 1.0], 20, 2)) is None
    assert composed_parameters(channels([1, 0, 2, 3], [1.0] * 4, 6, 4), GROUPED) is None


@pytest.mark.parametrize("conv", [CONV, GROUPED], ids=["plain", "grouped"])
def test_padding_is_absorbed(conv: Convolution) -> None:
    held = np.zeros(conv.in_shape, dtype=bool)
    held[:, 1:4, 2:] = True
    index = np.where(held.ravel(), np.cumsum(held.ravel()) - 1, -1)
    padding = selection(index, int(held.sum()))
    product = compose(conv, padding)
    assert isinstance(product, Convolution)
    assert product.in_shape == (2, 3, 2)
    np.testing.assert_allclose(product.to_csr().toarray(), conv.to_csr().toarray() @ padding.to_csr().toarray())


def test_other_moves_of_pixels_are_not_merged() -> None:
    assert composed_parameters(CONV, selection(np.arange(40)[::-1].copy(), 40)) is None
    assert composed_parameters(CONV, diagonal(np.arange(1.0, 41.0))) is None
    hole = np.arange(40)
    hole[7] = -1
    hole[8:] -= 1
    assert composed_parameters(CONV, selection(hole, 39)) is None
    assert composed_parameters(CONV, Dense(np.ones((40, 2)))) is None


def test_digest_tells_geometries_apart() -> None:
    affines = [Affine("output.affine", (INPUT,), (conv,), np.zeros(conv.out_size)) for conv in (MOVED, UNMOVED, MOVED)]
    specs = (TensorSpec("X", (1, 2, 5, 4)),), (TensorSpec("Y", (1, MOVED.out_size)),)
    digests = [Network((affine,), "output.affine", *specs).sha256 for affine in affines]
    assert digests[0] == digests[2] != digests[1]


def test_sums_of_convolutions() -> None:
    twice = add_maps(CONV, CONV)
    assert isinstance(twice, Convolution)
    np.testing.assert_allclose(twice.weight, 2.0 * CONV.weight)
    assert add_maps(CONV, Convolution(CONV.weight, CONV.in_shape)) is None
    assert add_maps(GROUPED, Dense(np.ones((GROUPED.out_size, 40)))) is None
