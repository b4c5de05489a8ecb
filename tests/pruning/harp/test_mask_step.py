"""The mask step: the largest scores of every layer, masked weights, gradients; kernels against their NumPy twins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from netopt.errors import InputError
from netopt.pruning.harp.pieces import TILE
from netopt.pruning.harp.select import Selector, keep_largest
from netopt.pruning.harp.sharing import shared_array, shared_tensor
from netopt.pruning.harp.straight_through import apply_mask, straight_through

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def by_sorting(scores: Floats, offsets: Ints, keep: Ints) -> NDArray[np.bool_]:
    """The largest magnitudes of every layer by a stable sort of each."""
    mask = np.zeros(scores.size, dtype=bool)
    for begin, end, kept in zip(offsets[:-1], offsets[1:], keep, strict=True):
        mask[begin + np.argsort(-np.abs(scores[begin:end].astype(np.float64)), kind="stable")[:kept]] = True
    return mask


def scores_of(kind: str, size: int, generator: np.random.Generator) -> Floats:
    normal = generator.normal(size=size).astype(np.float32)
    match kind:
        case "normal":
            return normal
        case "equal":
            return np.full(size, -0.25, dtype=np.float32)
        case "zero":
            return np.where(normal > 0, 0.0, -0.0).astype(np.float32)
        case "few values":
            return np.round(normal)
        case "denormal":
            return generator.integers(-40, 40, size).astype(np.float32) * np.float32(1e-45)
        case "close":  # they differ in the last bits alone
            return (1.0 + generator.integers(0, 40, size) * 2.0**-23).astype(np.float32)
        case "all bits":
            bits = generator.integers(0, 2**32, size, dtype=np.uint64).astype(np.uint32)
            values = bits.view(np.float32)
            return np.where(np.isnan(values), np.float32(np.inf), values)
    raise AssertionError(kind)


KINDS = ("normal", "equal", "zero", "few values", "denormal", "close", "all bits")


def layers_of(size: int) -> tuple[Ints, Floats]:
    """Offsets and scores of layers of all kinds, of about one size."""
    sizes = [size + k % 3 for k in range(len(KINDS))]
    generator = np.random.default_rng(size)
    scores = np.concatenate([scores_of(kind, own, generator) for kind, own in zip(KINDS, sizes, strict=True)])
    return np.cumsum([0, *sizes]), scores


@given(
    scores=arrays(np.float32, st.integers(1, 60), elements=st.floats(width=32, allow_nan=False)),
    cuts=st.sets(st.integers(1, 59), max_size=5),
    data=st.data(),
)
def test_the_largest_of_every_layer_stay(scores: Floats, cuts: set[int], data: st.DataObject) -> None:
    offsets = np.array(sorted({0, scores.size} | {cut for cut in cuts if cut < scores.size}))
    keep = np.array([data.draw(st.integers(0, int(size))) for size in np.diff(offsets)])
    assert np.array_equal(keep_largest(scores, offsets, keep), by_sorting(scores, offsets, keep))


@pytest.mark.parametrize("size", [1, 30, TILE - 2])
def test_the_kernel_finds_the_same_mask(size: int, cupy_on_cpu: Any) -> None:
    offsets, scores = layers_of(size)
    generator = np.random.default_rng(size)
    whole, selector = np.diff(offsets), Selector(offsets)
    masks, expected = [], []
    for repeat in range(4):
        choices = np.array([whole, 0 * whole, np.minimum(whole, 1), generator.integers(0, whole + 1)])
        keep = choices[(np.arange(whole.size) + repeat) % 4, np.arange(whole.size)]  # each layer gets each in turn
        masks.append(selector.keep_largest(cupy_on_cpu.asarray(scores), keep))
        expected.append(keep_largest(scores, offsets, keep))
    selector.check()
    for mask, right in zip(masks, expected, strict=True):  # none is overwritten by the next
        assert mask.dtype == bool
        assert np.array_equal(mask.get(), right)


def test_the_kernel_on_a_large_array(cupy_on_cpu: Any) -> None:
    generator = np.random.default_rng(0)
    offsets = np.array([0, 70_001, 100_000])
    scores = scores_of("normal", 100_000, generator)
    for keep in ([700, 20_000], [70_000, 30]):
        found = keep_largest(cupy_on_cpu.asarray(scores), offsets, np.array(keep))
        assert np.array_equal(found.get(), keep_largest(scores, offsets, np.array(keep)))


def test_nan_is_counted_until_it_is_asked_for(cupy_on_cpu: Any) -> None:
    scores = np.arange(5000, dtype=np.float32)
    odd = scores.copy()
    odd[[3, 4999]] = np.array([np.nan, -np.nan])
    offsets, keep = np.array([0, 5000]), np.array([7])
    selector = Selector(offsets)
    for values in (scores, odd, scores):
        mask = selector.keep_largest(cupy_on_cpu.asarray(values), keep)
    assert np.array_equal(mask.get(), keep_largest(scores, offsets, keep))
    with pytest.raises(InputError, match="2 of the scores are NaN"):
        selector.check()
    selector.check()
    with pytest.raises(InputError, match="2 of the scores are NaN"):
        keep_largest(cupy_on_cpu.asarray(odd), offsets, keep)


@pytest.mark.parametrize("size", [1, 3, 4, 4097, 20_000])
def test_the_kernel_masks_the_same_weights(size: int, cupy_on_cpu: Any) -> None:
    generator = np.random.default_rng(size)
    weights = scores_of("all bits", size, generator)
    weights[0] = np.nan
    mask = generator.random(size) < 0.5
    found = apply_mask(cupy_on_cpu.asarray(weights), cupy_on_cpu.asarray(mask)).get()
    assert np.array_equal(found.view(np.uint32), apply_mask(weights, mask).view(np.uint32))


@pytest.mark.parametrize("size", [1, 30, TILE - 2])
def test_the_kernel_finds_the_same_gradients(size: int, cupy_on_cpu: Any) -> None:
    offsets, scores = layers_of(size)
    gradient, weights = np.random.default_rng(1).normal(size=(2, offsets[-1])).astype(np.float32)
    found, rates = straight_through(*map(cupy_on_cpu.asarray, (gradient, weights, scores)), offsets)
    expected, expected_rates = straight_through(gradient, weights, scores, offsets)
    assert np.array_equal(found.get(), expected)
    np.testing.assert_allclose(rates.get(), expected_rates, rtol=1e-12, atol=1e-12)


def test_arrays_that_begin_anywhere_in_memory(cupy_on_cpu: Any) -> None:
    """What a view of a larger tensor gives: the first element is not where four are loaded at once."""
    generator = np.random.default_rng(2)
    values, offsets, keep = scores_of("normal", 5001, generator), np.array([0, 1234, 5000]), np.array([100, 1])
    found = keep_largest(cupy_on_cpu.asarray(values)[1:], offsets, keep)
    assert np.array_equal(found.get(), keep_largest(values[1:], offsets, keep))


@pytest.mark.gpu
@pytest.mark.parametrize("size", [1, 30, TILE - 2, 100_000, 15_000_000])
def test_masks_and_gradients_on_a_gpu(size: int, gpu: Any) -> None:
    offsets, scores = layers_of(size)
    keep = np.random.default_rng(size).integers(0, np.diff(offsets) + 1)
    gradient, weights = np.random.default_rng(1).normal(size=(2, offsets[-1])).astype(np.float32)
    device_scores, device_weights, device_gradient = map(gpu.asarray, (scores, weights, gradient))
    mask = keep_largest(scores, offsets, keep)
    found = keep_largest(device_scores, offsets, keep)
    assert np.array_equal(found.get(), mask)
    assert np.array_equal(apply_mask(device_weights, found).get(), apply_mask(weights, mask))
    by_score, by_rate = straight_through(device_gradient, device_weights, device_scores, offsets)
    expected, expected_rates = straight_through(gradient, weights, scores, offsets)
    assert np.array_equal(by_score.get(), expected)
    np.testing.assert_allclose(by_rate.get(), expected_rates, rtol=1e-10, atol=1e-10 * size)


def test_gradients_of_a_layer_by_hand() -> None:
    gradient, weights, scores = np.array([[1.0, 2.0, 3.0], [4.0, -5.0, 6.0], [1.0, -1.0, 0.0]])
    found, rates = straight_through(gradient, weights, scores, np.array([0, 2, 3]))
    assert found.tolist() == [4.0, 10.0, 0.0]
    assert rates.tolist() == [-6.0, 18.0]


def test_masked_weights_are_zero_whatever_they_were() -> None:
    weights = np.array([np.nan, -np.inf, -1.0, 2.0], dtype=np.float32)
    masked = apply_mask(weights, np.array([False, False, False, True]))
    assert masked.tolist() == [0.0, 0.0, 0.0, 2.0]
    assert not np.signbit(masked).any()
    assert masked.dtype == np.float32


def test_wrong_layers_counts_and_scores_are_refused() -> None:
    scores = np.ones(5, dtype=np.float32)
    with pytest.raises(InputError, match="do not divide"):
        keep_largest(scores, np.array([0, 4]), np.array([1]))
    with pytest.raises(InputError, match="do not divide"):
        keep_largest(scores, np.array([0, 2, 2, 5]), np.array([1, 0, 1]))
    with pytest.raises(InputError, match="cannot keep 3"):
        keep_largest(scores, np.array([0, 2, 5]), np.array([3, 0]))
    with pytest.raises(InputError, match="1 of the scores are NaN"):
        keep_largest(np.array([1.0, np.nan]), np.array([0, 2]), np.array([1]))
    with pytest.raises(InputError, match="one length"):
        apply_mask(scores, np.ones(4, dtype=bool))
    with pytest.raises(InputError, match="do not divide"):
        straight_through(scores, scores, scores, np.array([0, 9]))


def test_only_float32_goes_to_a_gpu(cupy_on_cpu: Any) -> None:
    with pytest.raises(InputError, match="have to be float32, not float64"):
        keep_largest(cupy_on_cpu.ones(3), np.array([0, 3]), np.array([1]))


def test_tensors_and_arrays_share_their_memory() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.zeros(4, requires_grad=True)
    array = shared_array(tensor)
    array[1] = 7.0
    assert tensor.tolist() == [0.0, 7.0, 0.0, 0.0]
    mask = np.zeros(3, dtype=bool)
    shared_tensor(mask)[2] = True
    assert mask.tolist() == [False, False, True]


def test_arrays_of_a_gpu_go_to_torch_by_dlpack(cupy_on_cpu: Any) -> None:
    torch = pytest.importorskip("torch")
    mask, values = cupy_on_cpu.asarray([True, False]), cupy_on_cpu.asarray([1.0, 2.0])
    assert shared_tensor(mask).dtype == torch.bool
    shared_tensor(mask)[1] = True
    shared_tensor(values)[0] = 3.0
    assert (mask.get().tolist(), values.get().tolist()) == ([True, True], [3.0, 2.0])
