"""Pairs found on the GPU are the closest of all, as float32 sums their distances."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from netopt.errors import InvalidOptionError
from netopt.subset_sum import pairs, pairs_cuda

Lists = tuple[np.ndarray, np.ndarray, np.ndarray]


def lists(seed: int, problems: int, lefts: int, rights: int, dimension: int, values: str) -> Lists:
    rng = np.random.default_rng(seed)
    shapes = (problems, lefts, dimension), (problems, rights, dimension), (problems, dimension)
    if values == "ties":
        drawn = [rng.integers(-1, 2, shape) for shape in shapes]
    elif values == "equal":
        drawn = [np.full(shape, 0.3) for shape in shapes]
    else:
        scale = {"normal": 1.0, "denormal": 1e-22, "tiny": 1e-40, "huge": 1e17}[values]
        drawn = [scale * rng.normal(size=shape) for shape in shapes]
    return tuple(array.astype(np.float32) for array in drawn)


def by_enumeration(left: np.ndarray, right: np.ndarray, target: np.ndarray) -> Lists:
    """Every distance, one coordinate after the other."""
    missing = right - target[:, None]
    total = np.zeros((left.shape[0], left.shape[1], right.shape[1]), dtype=np.float32)
    for d in range(left.shape[2]):
        total += np.square(left[:, :, None, d] + missing[:, None, :, d])
    flat = total.reshape(left.shape[0], -1)
    best = flat.argmin(1)
    return flat.min(1), best // right.shape[1], best % right.shape[1]


VALUES = ["normal", "ties", "equal", "denormal", "tiny", "huge"]
SHAPES = [(1, 1, 1, 1), (3, 2, 300, 9), (2, 700, 33, 9), (2, 130, 129, 9), (1, 257, 200, 36), (1, 40, 150, 96)]
LARGE = [(3, 2, 300, 2), (2, 130, 129, 3), (1, 4096, 4096, 9), (40, 1024, 1000, 9), (1, 65536, 3, 2), (1, 3, 65536, 72)]


@pytest.mark.usefixtures("cuda_on_cpu")
@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_closest_of_all(shape: tuple[int, int, int, int], values: str) -> None:
    arrays = lists(sum(shape), *shape, values)
    for ours, theirs in zip(pairs_cuda.best_pair(*arrays), by_enumeration(*arrays), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.gpu
@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("shape", [*SHAPES, *LARGE])
def test_the_closest_of_all_on_a_gpu(shape: tuple[int, int, int, int], values: str, gpu: Any) -> None:
    arrays = lists(sum(shape), *shape, values)
    found = pairs.best_pair(*(gpu.asarray(array) for array in arrays))
    if shape in SHAPES:
        for ours, theirs in zip(found, by_enumeration(*arrays), strict=True):
            assert np.array_equal(ours.get(), theirs)
    error = pairs.best_pair(*(array.astype(np.float64) for array in arrays))[0]
    scale = sum(np.square(array.astype(np.float64)).sum(-1).max() for array in arrays)
    assert (np.abs(found[0].get() - error) <= 1e-5 * error + 1e-5 * np.sqrt(error * scale) + 1e-11 * scale).all()


@pytest.mark.usefixtures("cuda_on_cpu")
def test_the_closest_pair_where_the_expansion_cancels() -> None:
    """Lists far from the origin: square sums of 1e6 hide distances of 1e-3, the differences do not."""
    left, right, target = lists(5, 4, 60, 500, 9, "normal")
    left, right = left + np.float32(600.0), right - np.float32(600.0)
    found, expected = pairs_cuda.best_pair(left, right, target), by_enumeration(left, right, target)
    for ours, theirs in zip(found, expected, strict=True):
        assert np.array_equal(ours, theirs)


def test_no_problems_are_no_pairs() -> None:
    none = np.zeros((0, 3, 2), dtype=np.float32)
    assert [values.shape for values in pairs_cuda.best_pair(none, none, none[:, 0])] == [(0,)] * 3


@pytest.mark.parametrize(
    ("lefts", "dimension", "type_", "words"),
    [
        (3, 2, np.float64, "array of float64"),
        (1 << 17, 1, np.float32, "one has 131072"),
        (3, 97, np.float32, "these have 97"),
    ],
)
def test_what_kernels_do_not_take_is_refused(lefts: int, dimension: int, type_: type, words: str) -> None:
    left, target = np.zeros((1, lefts, dimension), dtype=type_), np.zeros((1, dimension), dtype=type_)
    with pytest.raises(InvalidOptionError, match=words):
        pairs_cuda.best_pair(left, left, target)
