"""The sweep of the GPU finds what its NumPy twin finds, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from netopt.errors import InvalidOptionError
from netopt.subset_sum import two_flip, two_flip_cuda


def state(seed: int, problems: int, restarts: int, size: int, values: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gram matrices, changes and signs of random subsets of vectors of a kind."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(problems, size, 3))
    if values == "ties":
        vectors = rng.integers(-1, 2, vectors.shape).astype(float)
    vectors *= {"zeros": 0.0, "denormal": 1e-21, "huge": 1e15}.get(values, 1.0)
    sign = np.where(rng.random((problems, restarts, size)) < 0.5, 1.0, -1.0)
    gram = vectors @ vectors.swapaxes(1, 2)
    target = rng.normal(size=(problems, 1, 3)) * np.abs(vectors).max(initial=0.0)
    residual = target - ((sign < 0) @ vectors)
    delta = np.einsum("pii->pi", gram)[:, None] - 2 * sign * (residual @ vectors.swapaxes(1, 2))
    if values == "forbidden":
        delta[rng.random(delta.shape) < 0.7] = np.inf
    return tuple(np.ascontiguousarray(array, dtype=np.float32) for array in (gram, delta, sign))


def assert_same(found: tuple[Any, ...], expected: tuple[Any, ...]) -> None:
    for name, ours, theirs in zip(("change", "first", "second"), found, expected, strict=True):
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs), name


VALUES = ["normal", "ties", "zeros", "denormal", "huge", "forbidden"]
SHAPES = [(1, 1, 1), (3, 2, 2), (2, 3, 63), (2, 17, 64), (1, 2, 65), (1, 1, 130)]
LARGE = [(5, 40, 1023), (300, 8, 256), (2, 3, 4096), (1, 1, 20001)]


@pytest.mark.usefixtures("cuda_on_cpu")
@pytest.mark.parametrize("fixed_size", [False, True])
@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("shape", SHAPES)
def test_as_the_twin(shape: tuple[int, int, int], values: str, fixed_size: bool) -> None:
    arrays = state(sum(shape), *shape, values)
    assert_same(two_flip_cuda.best_two_flip(*arrays, fixed_size), two_flip.best_two_flip(*arrays, fixed_size))


@pytest.mark.gpu
@pytest.mark.parametrize("fixed_size", [False, True])
@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("shape", [*SHAPES, *LARGE])
def test_as_the_twin_on_a_gpu(shape: tuple[int, int, int], values: str, fixed_size: bool, gpu: Any) -> None:
    arrays = state(sum(shape), *shape, values)
    found = two_flip.best_two_flip(*(gpu.asarray(array) for array in arrays), fixed_size)
    assert_same(tuple(values.get() for values in found), two_flip.best_two_flip(*arrays, fixed_size))


@pytest.mark.usefixtures("cuda_on_cpu")
def test_many_tiles_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_flip_cuda, "_BLOCKS", 4)
    arrays = state(7, 2, 3, 260, "ties")
    assert_same(two_flip_cuda.best_two_flip(*arrays, False), two_flip.best_two_flip(*arrays, False))


def test_no_subsets_have_no_flips() -> None:
    arrays = state(0, 2, 0, 5, "normal")
    assert [values.shape for values in two_flip_cuda.best_two_flip(*arrays, False)] == [(2, 0)] * 3


def test_what_kernels_do_not_take_is_refused() -> None:
    gram, delta, sign = state(1, 1, 1, 4, "normal")
    with pytest.raises(InvalidOptionError, match="array of float64"):
        two_flip_cuda.best_two_flip(gram, delta.astype(np.float64), sign, False)
    with pytest.raises(InvalidOptionError, match="up to 65536 elements, but got 70000"):
        two_flip_cuda.best_two_flip(np.empty((0, 0, 70000), dtype=np.float32), delta, sign, False)
