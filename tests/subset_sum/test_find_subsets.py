"""Subsets found against all subsets, against what was planted, and against what no search may do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netopt.errors import InputError
from netopt.subset_sum import search
from netopt.subset_sum.limits import all_subsets, exact_subsets, first_moment_limit
from netopt.subset_sum.search import Effort, find_subsets


def nsn(problems, count, entries, seed=0, scale=0.8):
    generator = np.random.default_rng(seed)
    lifts = np.abs(generator.standard_normal((problems, count, 1)))
    candidates = lifts * generator.standard_normal((problems, count, entries))
    return candidates, scale * generator.standard_normal((problems, entries))


def cost_of_all(candidates, target, price=0.0):
    """The subsets of a few vectors and what each costs."""
    subsets = all_subsets(candidates.shape[0])
    missing = target - subsets.astype(float) @ candidates
    return subsets, np.square(missing).sum(axis=1) + subsets @ np.broadcast_to(price, candidates.shape[:1])


def check(found, candidates, targets):
    """What is reported is what the subsets add up to."""
    sums = found.scale[:, None] * np.einsum("pn,pnd->pd", found.selected.astype(float), candidates)
    np.testing.assert_allclose(found.sums, sums, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.error, np.square(targets - sums).sum(axis=1), rtol=1e-9, atol=1e-20)
    np.testing.assert_allclose(found.empty, np.square(targets).sum(axis=1))


@given(st.integers(1, 9), st.integers(1, 4), st.integers(0, 2**32), st.sampled_from([1e-9, 1.0, 1e9]))
@settings(max_examples=40, deadline=None)
def test_few_vectors_are_solved_exactly(count, entries, seed, unit):
    generator = np.random.default_rng(seed)
    candidates = (
        unit * generator.integers(-2, 3, (2, count, entries)) * generator.choice([0.0, 0.1, 1.0], (2, count, 1))
    )
    targets = unit * generator.integers(-3, 4, (2, entries)).astype(float)
    size = None if seed % 2 else int(generator.integers(0, count + 1))
    found = find_subsets(candidates, targets, size=size)
    check(found, candidates, targets)
    for p in range(2):
        subsets, costs = cost_of_all(candidates[p], targets[p])
        allowed = np.ones(costs.size, dtype=bool) if size is None else subsets.sum(axis=1) == size
        assert allowed[np.flatnonzero((subsets == found.selected[p]).all(axis=1))].all()
        assert found.error[p] <= costs[allowed].min() + 1e-12 * unit**2


@pytest.mark.parametrize("size", [None, 6])
def test_the_search_itself_comes_near_the_optimum(monkeypatch, size):
    monkeypatch.setattr(search, "_FEW", 0)  # beams, flips and neighbourhoods instead of trying all
    candidates, targets = nsn(6, 14, 4, seed=1)
    found = find_subsets(candidates, targets, size=size)
    check(found, candidates, targets)
    best = []
    for p in range(6):
        subsets, costs = cost_of_all(candidates[p], targets[p])
        best.append(costs.min() if size is None else costs[subsets.sum(axis=1) == size].min())
    assert (found.error >= np.array(best) - 1e-12).all()
    assert found.error.sum() <= (1.0 + 1e-9) * sum(best) if size is None else 1.3 * sum(best)


def test_prices_are_weighed_against_the_error(monkeypatch):
    monkeypatch.setattr(search, "_FEW", 0)
    candidates, targets = nsn(4, 12, 3, seed=2, scale=2.0)
    price = np.linspace(0.0, 1.0, 12)
    found = find_subsets(candidates, targets, price=price)
    for p in range(4):
        _, costs = cost_of_all(candidates[p], targets[p], price)
        assert found.error[p] + found.selected[p] @ price <= 1.05 * costs.min() + 1e-9


def test_dear_elements_stay_out():
    candidates, targets = nsn(3, 40, 5, seed=4)
    assert not find_subsets(candidates, targets, price=1e6).selected.any()


def test_nsn_vectors_at_small_demo_size():
    candidates, targets = nsn(8, 256, 9)
    found = find_subsets(candidates, targets)
    check(found, candidates, targets)
    assert found.relative_error < 0.025  # a random start with the same flips ends at 0.07


def test_wider_beams_and_beams_that_meet_find_better_subsets():
    candidates, targets = nsn(4, 128, 3, seed=5)
    errors = [find_subsets(candidates, targets, effort=Effort(width=width)).relative_error for width in (4, 1 << 13)]
    assert errors[1] < 0.1 * errors[0]


def test_a_planted_subset_of_fixed_size_keeps_its_size():
    candidates, _ = nsn(3, 60, 80, seed=6)  # more entries than vectors: only the planted subset fits
    planted = np.zeros((3, 60), dtype=bool)
    planted[:, 10:25] = True
    targets = np.einsum("pn,pnd->pd", planted.astype(float), candidates)
    found = find_subsets(candidates, targets, size=15)
    assert (found.selected == planted).all()
    assert (found.error < 1e-20).all()


def test_a_free_scale_finds_a_multiple_of_a_planted_subset():
    candidates, _ = nsn(2, 40, 60, seed=7)
    planted = np.zeros((2, 40), dtype=bool)
    planted[:, ::3] = True
    targets = 1.3 * np.einsum("pn,pnd->pd", planted.astype(float), candidates)
    found = find_subsets(candidates, targets, size=14, scaled=True)
    check(found, candidates, targets)
    assert found.error.sum() < 0.05 * find_subsets(candidates, targets, size=14).error.sum()


@pytest.mark.parametrize("size", [None, 0, 7, 30])
def test_degenerate_vectors(size):
    candidates, targets = nsn(5, 30, 4, seed=8)
    candidates[0] = 0.0
    candidates[1, 5:] = 0.0
    candidates[2] = candidates[2, :1]
    targets[3] = 0.0
    targets[4] = 1e6
    found = find_subsets(candidates, targets, size=size)
    check(found, candidates, targets)
    if size is None:
        assert (found.error <= found.empty).all()
        assert found.error[3] == 0.0
    else:
        assert (found.selected.sum(axis=1) == size).all()


@pytest.mark.parametrize("exponent", [-12, 12])
def test_scales_of_the_problem_do_not_matter(exponent):
    candidates, targets = nsn(2, 64, 6, seed=9)
    unit = 2.0 ** (10 * exponent)
    plain, scaled = (find_subsets(f * candidates, f * targets) for f in (1.0, unit))
    assert (plain.selected == scaled.selected).all()


def test_problems_do_not_depend_on_each_other_and_runs_are_alike():
    candidates, targets = nsn(5, 48, 5, seed=10)
    together = find_subsets(candidates, targets)
    alone = find_subsets(candidates, targets, effort=Effort(memory=1))  # one problem at a time
    assert (together.selected == alone.selected).all()
    assert (together.selected == find_subsets(candidates, targets).selected).all()


def test_exact_subsets_reach_the_first_moment_limit():
    candidates, targets = nsn(8, 24, 6, seed=11)
    missing = targets - np.einsum("pn,pnd->pd", exact_subsets(candidates, targets).astype(float), candidates)
    median = np.median(np.abs(missing).max(axis=1))
    assert 0.5 < median / first_moment_limit(24, 6) < 3.0


@pytest.mark.parametrize(
    ("candidates", "targets", "options", "said"),
    [
        (np.ones((2, 3)), np.ones((2, 3)), {}, "do not fit targets"),
        (np.ones((2, 3, 4)), np.ones((2, 3)), {}, "do not fit targets"),
        (np.full((1, 2, 2), np.nan), np.ones((1, 2)), {}, "4 entries of the candidates"),
        (np.ones((1, 2, 2)), np.full((1, 2), np.inf), {}, "2 entries of the targets"),
        (np.ones((1, 2, 2)), np.ones((1, 2)), {"size": 3}, "no subset of 2 vectors has size 3"),
        (np.ones((1, 2, 2)), np.ones((1, 2)), {"price": np.ones(5)}, "do not fit 2 vectors"),
        (np.ones((1, 2, 2)), np.ones((1, 2)), {"price": np.nan}, "a price is infinite"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(candidates, targets, options, said):
    with pytest.raises(InputError, match=said):
        find_subsets(candidates, targets, **options)


def test_too_many_vectors_for_trying_all():
    with pytest.raises(InputError, match="at most 26"):
        exact_subsets(np.ones((1, 27, 1)), np.ones((1, 1)))
