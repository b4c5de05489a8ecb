"""The two kernels of the search against every pair, one by one."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netopt.subset_sum.pairs import best_pair
from netopt.subset_sum.two_flip import best_two_flip


def _every_flip(gram, delta, sign, fixed_size):
    best = (np.inf, 0, 0)
    for i, j in itertools.combinations_with_replacement(range(delta.size), 2):
        if i == j:
            change = np.inf if fixed_size else delta[i]
        elif fixed_size and sign[i] * sign[j] > 0:
            continue
        else:
            change = delta[i] + delta[j] + 2.0 * sign[i] * sign[j] * gram[i, j]
        if change < best[0]:
            best = (change, i, j)
    return best


@given(st.integers(1, 9), st.integers(0, 2**32), st.booleans(), st.sampled_from([np.float32, np.float64]))
def test_best_flip_is_the_first_of_the_least_of_all_flips(count, seed, fixed_size, kind):
    generator = np.random.default_rng(seed)
    vectors = generator.integers(-2, 3, (2, count, 3))  # whole numbers: sums are exact and ties are many
    gram = (vectors @ vectors.swapaxes(1, 2)).astype(kind)
    sign = generator.choice([-1, 1], (2, 3, count)).astype(kind)
    delta = generator.integers(-4, 5, (2, 3, count)).astype(kind)
    delta[generator.random(delta.shape) < 0.2] = np.inf
    change, first, second = best_two_flip(gram, delta, sign, fixed_size)
    for p, r in np.ndindex(2, 3):
        expected = _every_flip(gram[p], delta[p, r], sign[p, r], fixed_size)
        assert (change[p, r], first[p, r], second[p, r]) == expected


def test_best_flip_among_many_rows_spans_blocks():
    generator = np.random.default_rng(3)
    vectors = generator.standard_normal((1, 700, 4))
    gram = vectors @ vectors.swapaxes(1, 2)
    sign, delta = np.ones((1, 1, 700)), generator.standard_normal((1, 1, 700))
    change, first, second = best_two_flip(gram, delta, sign, fixed_size=False)
    scores = delta[0, 0][:, None] + delta[0, 0] + 2.0 * gram[0]
    np.fill_diagonal(scores, delta[0, 0])
    assert change.item() == pytest.approx(scores.min(), rel=1e-12)
    assert {first.item(), second.item()} == set(np.argwhere(scores == scores.min()).ravel().tolist())


@pytest.mark.parametrize(("lefts", "rights"), [(1, 1), (3, 5), (300, 700), (1, 70_000)])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_best_pair_is_the_closest(lefts, rights, kind):
    generator = np.random.default_rng(lefts)
    left = generator.standard_normal((3, lefts, 2)).astype(kind)
    right = generator.standard_normal((3, rights, 2)).astype(kind)
    target = generator.standard_normal((3, 2)).astype(kind)
    error, i, j = best_pair(left, right, target)
    for p in range(3):
        distances = np.square(left[p][:, None].astype(float) + right[p] - target[p]).sum(axis=-1)
        assert error[p] <= distances.min() + 1e-5 * (1 if kind is np.float32 else 1e-8)
        assert error[p] == pytest.approx(distances[i[p], j[p]], rel=1e-4, abs=1e-10)


def test_equal_pairs_are_decided_by_their_place():
    ones = np.ones((1, 4, 3))
    assert [values.item() for values in best_pair(ones, ones, np.full((1, 3), 2.0))] == [0.0, 0, 0]
