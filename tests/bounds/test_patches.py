"""Images that are zero outside a window are carried as the whole images are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from netopt.bounds.patches import Patch, add_absolute, added, carried, covered, empty, scaled, units, whole
from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.identity import Identity

SHAPE = (4, 7, 9)


@st.composite
def patches(draw: st.DrawFn) -> Patch:
    top, left = draw(st.integers(0, SHAPE[1] - 1)), draw(st.integers(0, SHAPE[2] - 1))
    bottom, right = draw(st.integers(top + 1, SHAPE[1])), draw(st.integers(left + 1, SHAPE[2]))
    generator = np.random.default_rng(draw(st.integers(0, 99)))
    values = generator.normal(size=(draw(st.integers(0, 3)), SHAPE[0], bottom - top, right - left))
    return Patch(values, (top, bottom, left, right), SHAPE)


@st.composite
def convolutions(draw: st.DrawFn) -> Convolution:
    def pair(low: int, high: int) -> tuple[int, int]:
        return draw(st.integers(low, high)), draw(st.integers(low, high))

    groups = draw(st.sampled_from([1, 2]))
    taps = pair(1, 3)
    weight = np.random.default_rng(draw(st.integers(0, 99))).normal(size=(2, SHAPE[0] // groups, *taps))
    return Convolution(weight, SHAPE, pair(1, 3), pair(0, 2) + pair(0, 2), pair(1, 2), groups)


@given(patches(), convolutions())
def test_convolutions_of_patches(patch: Patch, convolution: Convolution) -> None:
    result = carried(convolution, patch)
    assert isinstance(result, Patch)
    assert result.shape == convolution.out_shape
    np.testing.assert_allclose(whole(result), convolution.apply(whole(patch)), atol=1e-12)
    assert 0.0 < covered(result) <= 1.0
    assert empty(result).window == result.window
    assert len(whole(empty(result))) == 0


@given(patches(), patches())
def test_sums_products_and_absolute_values(one: Patch, other: Patch) -> None:
    count = min(len(one.values), len(other.values))
    one, other = (Patch(patch.values[:count], patch.window, SHAPE) for patch in (one, other))
    np.testing.assert_array_equal(whole(added(one, other)), whole(one) + whole(other))
    np.testing.assert_array_equal(whole(added(one, whole(other))), whole(one) + whole(other))
    factor = np.linspace(-1.0, 2.0, int(np.prod(SHAPE)))
    np.testing.assert_array_equal(whole(scaled(one, factor)), whole(one) * factor)
    total = factor.copy()
    add_absolute(total, one)
    np.testing.assert_allclose(total, factor + np.abs(whole(one)).sum(axis=0))


@given(patches())
def test_other_maps_read_whole_images(patch: Patch) -> None:
    size = int(np.prod(SHAPE))
    assert carried(Identity(size), patch) is patch
    dense = Dense(np.random.default_rng(0).normal(size=(3, size)))
    np.testing.assert_array_equal(carried(dense, patch), dense.apply(whole(patch)))
    turned = Convolution(np.ones((1, 1, 2, 2)), (1, size // 6, 6))
    np.testing.assert_allclose(whole(carried(turned, patch)), turned.apply(whole(patch)), atol=1e-12)


def test_units() -> None:
    entries, weight, size = np.array([20, 22, 40]), np.array([1.0, 2.0, -3.0]), int(np.prod(SHAPE))
    expected = np.zeros((3, size))
    expected[np.arange(3), entries] = weight
    image = units(entries, weight, size, SHAPE)
    assert isinstance(image, Patch)
    np.testing.assert_array_equal(whole(image), expected)
    np.testing.assert_array_equal(units(entries, weight, size, None), expected)
