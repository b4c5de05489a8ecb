"""The descent on a GPU takes the flips of the NumPy loop, where both sweep in float32, and ends in local optima."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from netopt.arrays import BoolArray, FloatArray
from netopt.subset_sum import descent_cuda, local_search
from netopt.subset_sum.two_flip import best_two_flip

Problem = tuple[FloatArray, FloatArray, BoolArray]


def problem(seed: int, problems: int, restarts: int, size: int, dimension: int, scale: float = 1.0) -> Problem:
    """Gram matrix and pull of NSN vectors with small prices, and random subsets."""
    rng = np.random.default_rng(seed)
    vectors = np.abs(rng.normal(size=(problems, size, 1))) * rng.normal(size=(problems, size, dimension))
    targets, prices = 0.8 * rng.normal(size=(problems, dimension)), 1e-4 * rng.random((problems, size))
    pull = (vectors @ targets[..., None])[..., 0] - 0.5 * prices
    gram = np.ascontiguousarray(vectors @ vectors.swapaxes(1, 2))
    return scale * gram, scale * pull, rng.random((problems, restarts, size)) < 0.5


def value(gram: FloatArray, pull: FloatArray, selected: BoolArray) -> FloatArray:
    chosen = selected.astype(np.float64)
    return np.einsum("prn,pnm,prm->pr", chosen, gram, chosen) - 2.0 * np.einsum("prn,pn->pr", chosen, pull)


def rounding(gram: FloatArray) -> FloatArray:
    return 1e-12 * np.abs(gram).max(axis=(1, 2))


def in_float32(gram: Any, delta: Any, sign: Any, fixed_size: bool) -> Any:
    return best_two_flip(*(array.astype(np.float32) for array in (gram, delta, sign)), fixed_size)


SHAPES = [(1, 1, 1, 1), (2, 3, 40, 2), (1, 2, 70, 9), (2, 1, 33, 40)]


@pytest.mark.usefixtures("cuda_on_cpu")
@pytest.mark.parametrize("fixed_size", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_flips_of_the_numpy_loop(
    shape: tuple[int, int, int, int], fixed_size: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    gram, pull, selected = problem(sum(shape), *shape)
    found = descent_cuda.descend(gram, pull, selected, rounding(gram), fixed_size=fixed_size)
    monkeypatch.setattr(local_search, "best_two_flip", in_float32)
    assert np.array_equal(found, local_search.descend(gram, pull, selected, fixed_size=fixed_size))


def assert_local_optima(
    descend: Callable[..., BoolArray], shape: tuple[int, int, int, int], fixed_size: bool, scale: float
) -> None:
    gram, pull, selected = problem(sum(shape), *shape, scale)
    found = descend(gram, pull, selected, rounding(gram), fixed_size=fixed_size)
    before, after = value(gram, pull, selected), value(gram, pull, found)
    assert (after < before).all()
    if fixed_size:
        assert np.array_equal(found.sum(-1), selected.sum(-1))
    sign = 1.0 - 2.0 * found
    correlation = pull[:, None] - found.astype(np.float64) @ gram
    delta = np.einsum("pii->pi", gram)[:, None] - 2.0 * sign * correlation
    change, _, _ = best_two_flip(gram, delta, sign, fixed_size)
    assert (change >= -1e-5 * np.abs(gram).max()).all()


@pytest.mark.usefixtures("cuda_on_cpu")
@pytest.mark.parametrize("fixed_size", [False, True])
@pytest.mark.parametrize("scale", [1.0, 1e-60, 1e60])
def test_local_optima_at_every_scale(scale: float, fixed_size: bool) -> None:
    assert_local_optima(descent_cuda.descend, (2, 2, 50, 4), fixed_size, scale)


@pytest.mark.gpu
@pytest.mark.parametrize("fixed_size", [False, True])
@pytest.mark.parametrize("shape", [*SHAPES[1:], (3, 8, 256, 9), (2, 16, 1024, 36)])
def test_local_optima_on_a_gpu(shape: tuple[int, int, int, int], fixed_size: bool, gpu: Any) -> None:
    def descend(*arrays: Any, fixed_size: bool) -> BoolArray:
        found: BoolArray = descent_cuda.descend(*map(gpu.asarray, arrays), fixed_size=fixed_size).get()
        return found

    assert_local_optima(descend, shape, fixed_size, 1.0)


def test_no_problems_take_no_steps() -> None:
    gram, pull, selected = problem(0, 1, 1, 5, 2)
    found = descent_cuda.descend(gram[:0], pull[:0], selected[:0], rounding(gram[:0]), fixed_size=False)
    assert found.shape == (0, 1, 5)
