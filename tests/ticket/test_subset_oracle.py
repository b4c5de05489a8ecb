from __future__ import annotations

import itertools

import numpy as np
import pytest

from netopt.errors import InputError
from netopt.solvers.parameters import SolverParameters
from netopt.ticket.oracle import best_subset


def _by_enumeration(candidates: np.ndarray, target: np.ndarray, size: int | None) -> float:
    subsets = np.array(list(itertools.product([0.0, 1.0], repeat=candidates.shape[0])))
    if size is not None:
        subsets = subsets[subsets.sum(axis=1) == size]
    return float(np.abs(subsets @ candidates - target).max(axis=1).min())


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("size", [None, 4])
def test_the_oracle_finds_what_enumeration_finds(seed: int, size: int | None) -> None:
    generator = np.random.default_rng(seed)
    entries = 1 + seed % 3
    candidates = generator.normal(size=(10, 1)) * generator.normal(size=(10, entries))
    target = generator.normal(size=entries)
    best = best_subset(candidates, target, size=size)
    exact = _by_enumeration(candidates, target, size)
    assert best.proven
    assert best.selected is not None
    assert best.error == pytest.approx(exact, abs=1e-6)
    assert best.bound <= exact + 1e-6
    assert best.error == np.abs(candidates[best.selected].sum(axis=0) - target).max()
    assert size is None or best.selected.sum() == size


def test_a_limit_leaves_a_bound_and_the_start() -> None:
    generator = np.random.default_rng(0)
    candidates, target = generator.normal(size=(60, 6)), generator.normal(size=6)
    start = generator.random(60) < 0.5
    best = best_subset(candidates, target, start=start, parameters=SolverParameters(time_limit=0.5))
    assert best.bound <= best.error <= np.abs(candidates[start].sum(axis=0) - target).max() + 1e-9
    assert not best.proven


@pytest.mark.parametrize(
    ("candidates", "target", "options", "message"),
    [
        (np.ones((3, 2)), np.ones(3), {}, "needs vectors"),
        (np.full((3, 2), np.nan), np.ones(2), {}, "not finite"),
        (np.ones((3, 2)), np.ones(2), {"size": 4}, "cannot be taken"),
        (np.ones((3, 2)), np.ones(2), {"start": np.zeros(4, dtype=bool)}, "that many entries"),
    ],
)
def test_what_is_no_problem_is_refused(
    candidates: np.ndarray, target: np.ndarray, options: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        best_subset(candidates, target, **options)  # type: ignore[arg-type]  # on purpose
