"""The whole search on a GPU comes as close as on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from netopt.subset_sum.search import Effort, find_subsets


@pytest.mark.gpu
@pytest.mark.parametrize("size", [None, 20])
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize(("count", "dimension"), [(64, 3), (256, 9), (300, 36)])
def test_as_close_as_on_the_cpu(count: int, dimension: int, scaled: bool, size: int | None, gpu: Any) -> None:
    assert_as_close(gpu, 8, count, dimension, scaled, size, Effort())


@pytest.mark.parametrize(("count", "dimension", "scaled", "size"), [(40, 2, False, None), (33, 5, True, 12)])
def test_with_kernels_on_the_cpu(count: int, dimension: int, scaled: bool, size: int | None, cupy_on_cpu: Any) -> None:
    little = Effort(width=32, subsets=2, flips=4, free=8, rounds=1)
    assert_as_close(cupy_on_cpu, 2, count, dimension, scaled, size, little)


def assert_as_close(
    gpu: Any, problems: int, count: int, dimension: int, scaled: bool, size: int | None, effort: Effort
) -> None:
    rng = np.random.default_rng(count)
    candidates = np.abs(rng.normal(size=(problems, count, 1))) * rng.normal(size=(problems, count, dimension))
    targets = 0.8 * rng.normal(size=(problems, dimension))
    on_gpu = find_subsets(gpu.asarray(candidates), gpu.asarray(targets), size=size, scaled=scaled, effort=effort)
    on_cpu = find_subsets(candidates, targets, size=size, scaled=scaled, effort=effort)
    selected = on_gpu.selected.get()
    if size is not None:
        assert (selected.sum(-1) == size).all()
    sums = on_gpu.scale.get()[:, None] * np.einsum("pn,pnd->pd", selected, candidates)
    assert np.allclose(np.square(targets - sums).sum(-1), on_gpu.error.get(), rtol=1e-6, atol=1e-12)
    assert on_gpu.relative_error <= 1.5 * on_cpu.relative_error + 1e-3
