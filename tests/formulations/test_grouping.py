from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formulations.grouping import GROUPINGS, equal_range, equal_size


def test_equal_size_sorts_and_cuts() -> None:
    rows = np.array([0, 0, 0, 0, 2, 2])
    key = np.array([3.0, -1.0, 2.0, 0.5, 1.0, 1.0])
    assert equal_size(rows, key, 3, 2).tolist() == [1, 0, 1, 0, 0, 1]
    assert equal_size(rows, key, 3, 3).tolist() == [2, 0, 1, 0, 0, 1]  # a row of two has two groups


def test_equal_range_cuts_the_range() -> None:
    rows = np.zeros(5, dtype=np.int64)
    assert equal_range(rows, np.array([0.0, 1.0, 2.0, 9.0, 10.0]), 1, 2).tolist() == [0, 0, 0, 1, 1]
    # three groups: the smallest and the largest twentieth, and what lies between
    assert equal_range(rows, np.array([9.0, 1.0, 0.0, 2.0, 10.0]), 1, 3).tolist() == [1, 1, 0, 1, 2]


@pytest.mark.parametrize("name", sorted(GROUPINGS))
@given(seed=st.integers(0, 10_000), groups=st.integers(1, 9))
def test_groups_are_in_range_and_ordered_by_key(name: str, seed: int, groups: int) -> None:
    generator = np.random.default_rng(seed)
    rows = np.sort(generator.integers(0, 4, size=generator.integers(0, 40)))
    key = np.round(generator.normal(size=rows.size), generator.integers(0, 3))
    number = GROUPINGS[name](rows, key, 4, groups)
    assert ((number >= 0) & (number < groups)).all()
    for row in range(4):
        mine = rows == row
        order = np.argsort(key[mine], kind="stable")
        assert (np.diff(number[mine][order]) >= 0).all()
        if name == "equal-size" and mine.any():
            sizes = np.unique(number[mine], return_counts=True)[1]
            assert sizes.max() - sizes.min() <= 1
            assert sizes.size == min(groups, mine.sum())
