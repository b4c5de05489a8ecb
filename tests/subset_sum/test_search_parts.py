"""The steps of the search, each for what it promises."""

import numpy as np
import pytest

from netopt.subset_sum import joined_beams as joined
from netopt.subset_sum.beam import beam_search
from netopt.subset_sum.local_search import descend, of_size, tabu_search
from netopt.subset_sum.neighbourhood import free_and_choose, squared_error
from netopt.subset_sum.relaxed import into_box, relaxed_shares


def problem(count=30, entries=4, problems=3, seed=0):
    generator = np.random.default_rng(seed)
    vectors = generator.standard_normal((problems, count, entries)) * generator.random((problems, count, 1))
    return vectors, generator.standard_normal((problems, entries))


@pytest.mark.parametrize("size", [None, 12])
def test_shares_reach_the_target_inside_the_box(size):
    vectors, targets = problem()
    shares = relaxed_shares(vectors, targets, np.zeros((3, 30)), size, np.full((3, 30), 0.4))
    assert ((shares >= 0.0) & (shares <= 1.0)).all()
    np.testing.assert_allclose(np.einsum("pn,pnd->pd", shares, vectors), targets, atol=1e-4)
    if size is not None:
        np.testing.assert_allclose(shares.sum(axis=1), size, atol=1e-6)


def test_shares_of_a_target_out_of_reach_are_stationary():
    vectors, _ = problem(count=8, entries=10)
    targets = np.full((3, 10), 2.0)
    price = np.full((3, 8), 0.1)
    shares = relaxed_shares(vectors, targets, price, None, np.full((3, 8), 0.5))
    missing = targets - np.einsum("pn,pnd->pd", shares, vectors)
    slope = price - 2.0 * np.einsum("pnd,pd->pn", vectors, missing)
    assert (np.abs(shares - np.clip(shares - slope, 0.0, 1.0)) < 1e-3).all()


@pytest.mark.parametrize("size", [0, 3, 5])
def test_the_nearest_shares_of_a_size(size):
    shares = into_box(np.array([[0.9, 2.0, -1.0, 0.3, 0.3]]), size)
    assert shares.sum() == pytest.approx(size, abs=1e-9)
    assert shares[0, 1] >= shares[0, 0] >= shares[0, 3] == shares[0, 4] >= shares[0, 2]


def test_states_of_a_beam_are_the_subsets_that_leave_their_residuals():
    vectors, targets = problem()
    shares = relaxed_shares(vectors, targets, np.zeros((3, 30)), None, np.full((3, 30), 0.5))
    order = np.argsort(-np.square(vectors).sum(axis=-1), axis=-1)
    beam = beam_search(vectors, shares, order, 50)
    states = np.broadcast_to(np.arange(50), (3, 50))
    selected = beam.selected(states)
    assert all(np.unique(subsets, axis=0).shape[0] == 50 for subsets in selected)
    left = np.einsum("pn,pnd->pd", shares, vectors)[:, None] - selected.astype(float) @ vectors
    np.testing.assert_allclose(beam.residual, left, atol=1e-10)


def test_a_wide_beam_holds_every_subset():
    vectors, _ = problem(count=6)
    beam = beam_search(vectors, np.full((3, 6), 0.5), np.broadcast_to(np.arange(6), (3, 6)), 100)
    selected = beam.selected(np.broadcast_to(np.arange(64), (3, 64)))
    assert all(np.unique(subsets, axis=0).shape[0] == 64 for subsets in selected)


def test_the_tree_finds_the_closest_pair(monkeypatch):
    generator = np.random.default_rng(4)
    left, right = generator.standard_normal((2, 2, 5000, 3))
    target = generator.standard_normal((2, 3))
    plain = joined._closest(np, left, right, target)
    monkeypatch.setattr(joined, "_TREE_PAIRS", 1)
    by_tree = joined._closest(np, left, right, target)
    for p in range(2):
        distances = [np.square(left[p, i[p]] + right[p, j[p]] - target[p]).sum() for i, j in (plain, by_tree)]
        assert distances[0] == pytest.approx(distances[1], rel=1e-9)


@pytest.mark.parametrize("fixed_size", [False, True])
def test_flips_end_where_no_flip_helps(fixed_size):
    vectors, targets = problem(count=60, entries=8)
    gram, pull = vectors @ vectors.swapaxes(1, 2), np.einsum("pnd,pd->pn", vectors, targets)
    start = np.random.default_rng(1).random((3, 2, 60)) < 0.5
    found = descend(gram, pull, start, fixed_size=fixed_size)
    assert (descend(gram, pull, found, fixed_size=fixed_size) == found).all()
    if fixed_size:
        assert (found.sum(axis=-1) == start.sum(axis=-1)).all()
    error = [[squared_error(vectors, targets, subsets[:, r]) for r in range(2)] for subsets in (start, found)]
    assert (np.array(error[1]) < np.array(error[0])).all()
    walked = tabu_search(gram, pull, found, fixed_size=fixed_size, flips=40)
    further = [squared_error(vectors, targets, walked[:, r]) for r in range(2)]
    assert (np.array(further) <= np.array(error[1]) + 1e-12).all()
    assert (np.array(further) < np.array(error[1])).any()


@pytest.mark.parametrize("size", [0, 7, 60])
def test_subsets_are_brought_to_a_size(size):
    vectors, targets = problem(count=60)
    gram, pull = vectors @ vectors.swapaxes(1, 2), np.einsum("pnd,pd->pn", vectors, targets)
    start = np.random.default_rng(1).random((3, 4, 60)) < 0.5
    assert (of_size(gram, pull, start, size).sum(axis=-1) == size).all()


def test_freed_elements_only_improve():
    vectors, targets = problem(count=20)
    start = np.random.default_rng(2).random((3, 20)) < 0.5
    assert (free_and_choose(vectors, targets, start, free=0, rounds=3) == start).all()
    every = free_and_choose(vectors, targets, start, free=20, rounds=1)  # all are free: the optimum
    some = free_and_choose(vectors, targets, start, free=9, rounds=4)
    errors = [squared_error(vectors, targets, subsets) for subsets in (every, some, start)]
    assert (errors[0] <= errors[1] + 1e-12).all()
    assert (errors[1] <= errors[2]).all()
    assert (errors[1] < errors[2]).any()
