"""The local search on a GPU takes the steps a plain loop takes, and ends where no flip lowers the error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from netopt.errors import InvalidOptionError
from netopt.subset_sum.descent_cuda import descend
from netopt.subset_sum.two_flip import best_two_flip


@dataclass
class State:
    """What `descend` takes, for NSN vectors and random subsets."""

    candidates: np.ndarray
    gram: np.ndarray
    residual: np.ndarray
    delta: np.ndarray
    sign: np.ndarray

    def copy(self) -> State:
        return State(**{name: array.copy() for name, array in vars(self).items()})

    def arguments(self) -> tuple[np.ndarray, ...]:
        return self.candidates, self.gram, self.residual, self.delta, self.sign


def state(seed: int, problems: int, restarts: int, size: int, dimension: int) -> State:
    rng = np.random.default_rng(seed)
    shared = np.abs(rng.normal(size=(problems, size, 1)))
    candidates = (shared * rng.normal(size=(problems, size, dimension))).astype(np.float32)
    sign = np.where(rng.random((problems, restarts, size)) < 0.5, 1.0, -1.0).astype(np.float32)
    target = 0.8 * rng.normal(size=(problems, 1, dimension))
    found = State(
        candidates,
        gram=np.ascontiguousarray(candidates @ candidates.swapaxes(1, 2)),
        residual=target - (sign < 0) @ candidates.astype(np.float64),
        delta=np.zeros_like(sign),
        sign=sign,
    )
    for problem in range(problems):
        for restart in range(restarts):
            refresh(found, problem, restart)
    return found


def refresh(now: State, problem: int, restart: int) -> None:
    """The changes of single flips from the residual, rounded as the kernel rounds them."""
    correlation = np.zeros(now.sign.shape[2], dtype=np.float32)
    for d in range(now.candidates.shape[2]):
        correlation += now.candidates[problem, :, d] * np.float32(now.residual[problem, restart, d])
    sign = now.sign[problem, restart]
    changed = np.diagonal(now.gram[problem]) - np.float32(2) * sign * correlation
    now.delta[problem, restart] = np.where(np.isinf(now.delta[problem, restart]), np.inf, changed)


def step(now: State, fixed_size: bool) -> bool:
    """One flip of every subset that has one which lowers its error."""
    change, first, second = best_two_flip(now.gram, now.delta, now.sign, fixed_size)
    moved = False
    for problem, restart in np.argwhere(change < 0):
        elements = {int(first[problem, restart]), int(second[problem, restart])}
        residual = now.residual[problem, restart].copy()
        for element in sorted(elements):
            residual -= np.float64(now.sign[problem, restart, element]) * now.candidates[problem, element]
        if np.square(residual).sum() < np.square(now.residual[problem, restart]).sum():
            moved = True
            now.residual[problem, restart] = residual
            now.sign[problem, restart, list(elements)] *= -1
            refresh(now, problem, restart)
    return moved


@pytest.mark.usefixtures("cuda_on_cpu")
@pytest.mark.parametrize("fixed_size", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 3, 40, 2), (1, 2, 70, 9), (2, 1, 33, 40)])
@pytest.mark.parametrize("most_steps", [3, 100])
def test_steps_of_a_plain_loop(shape: tuple[int, int, int, int], fixed_size: bool, most_steps: int) -> None:
    expected = state(sum(shape), *shape)
    expected.delta[0, 0, ::5] = np.inf
    found = expected.copy()
    steps = descend(*found.arguments(), fixed_size=fixed_size, most_steps=most_steps)
    taken = 0
    while taken < most_steps and step(expected, fixed_size):
        taken += 1
    assert steps == taken
    for name, array in vars(expected).items():
        assert np.array_equal(getattr(found, name), array), name


@pytest.mark.usefixtures("cuda_on_cpu")
def test_errors_go_down_and_sizes_stay_where_they_are_fixed() -> None:
    before = state(3, 2, 4, 50, 4)
    after = before.copy()
    descend(*after.arguments(), fixed_size=True, most_steps=1000)
    assert np.array_equal((before.sign < 0).sum(-1), (after.sign < 0).sum(-1))
    assert (np.square(after.residual).sum(-1) < 0.1 * np.square(before.residual).sum(-1)).all()
    total = before.residual + (before.sign < 0) @ before.candidates.astype(np.float64)
    again = total - (after.sign < 0) @ after.candidates.astype(np.float64)
    assert np.allclose(again, after.residual, rtol=0, atol=1e-12)


@pytest.mark.gpu
@pytest.mark.parametrize("fixed_size", [False, True])
@pytest.mark.parametrize("shape", [(2, 3, 40, 2), (3, 8, 256, 9), (2, 16, 1024, 36)])
def test_local_optima_on_a_gpu(shape: tuple[int, int, int, int], fixed_size: bool, gpu: Any) -> None:
    before = state(sum(shape), *shape)
    moved = [gpu.asarray(array) for array in before.arguments()]
    descend(*moved, fixed_size=fixed_size, most_steps=10_000)
    after = State(*(array.get() for array in moved))
    total = before.residual + (before.sign < 0) @ before.candidates.astype(np.float64)
    assert np.allclose(total - (after.sign < 0) @ after.candidates.astype(np.float64), after.residual, atol=1e-10)
    assert not step(after.copy(), fixed_size)


def test_no_problems_take_no_steps() -> None:
    assert descend(*state(0, 0, 3, 5, 2).arguments(), fixed_size=False, most_steps=10) == 0


def test_residuals_of_float32_are_refused() -> None:
    now = state(0, 1, 1, 4, 2)
    now.residual = now.residual.astype(np.float32)
    with pytest.raises(InvalidOptionError, match="float64 arrays, but got float32"):
        descend(*now.arguments(), fixed_size=False, most_steps=1)
