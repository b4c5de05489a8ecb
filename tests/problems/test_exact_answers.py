"""Odd networks at a hair's breadth against exact rational arithmetic: any scale, ties, twins, dead neurons."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
from exact_pieces import Piece, exact_extremes, largest_minimum, pieces_of
from hypothesis import given, settings
from hypothesis import strategies as st

from netopt.bounds.boxes import BoxBounds
from netopt.bounds.crown import crown_bounds
from netopt.bounds.precision import DOUBLE, SINGLE
from netopt.engines.objective import SlackObjective
from netopt.network.build import from_weights
from netopt.network.network import Network
from netopt.problems.maximization import maximize
from netopt.problems.verification import verify
from netopt.specification.box import Box
from netopt.specification.property import Case, Conjunction, Property

SIZES = ([2, 3, 2], [2, 4, 3, 2], [2, 1, 1, 1, 1, 2], [2, 7, 2])


def odd_case(seed: int) -> tuple[np.random.Generator, Network, Box, list[Piece]]:
    """Return a network whose layers have weights of any scale, and what it is over a box."""
    generator = np.random.default_rng(seed)
    weights, biases = [], []
    for inner, outer in itertools.pairwise(SIZES[generator.integers(len(SIZES))]):
        weight = generator.normal(size=(outer, inner)) * 10.0 ** generator.uniform(-12, 12, size=(outer, 1))
        if generator.random() < 0.6:
            weight = generator.integers(-8, 9, size=(outer, inner)) / 4.0
        weight[generator.random((outer, inner)) < 0.15] = 0.0
        if outer > 1 and generator.random() < 0.4:
            weight[0] = weight[1] * generator.choice([1.0, -1.0, 2.0, 1.0 / 3.0])
        weights.append(weight)
        biases.append(np.abs(weight).max() * generator.choice([0.0, 0.25, 1.0 / 3.0]) * generator.normal(size=outer))
    scale = 10.0 ** generator.choice([-6, 0, 0, 3])
    middle, radius = generator.integers(-4, 5, size=2) / 4.0 * scale, generator.integers(0, 5, size=2) / 3.0 * scale
    box = Box(middle - radius, middle + radius)
    first = weights[0] @ box.low + biases[0]
    biases[0] = np.where(generator.random(first.size) < 0.3, biases[0] - first, biases[0])  # zero at a corner
    network = from_weights(weights, biases)
    return generator, network, box, pieces_of(network, box.low, box.high)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=15)
def test_bounds_contain_the_exact_ranges(seed: int) -> None:
    _, network, box, pieces = odd_case(seed)
    crown = crown_bounds(network, box)
    for relu in network.relus:
        low, high = exact_extremes(pieces, relu.input)
        ranges = [(crown.lower[relu.name], crown.upper[relu.name])]
        for precision in (SINGLE, DOUBLE):
            lower, upper = BoxBounds(network, precision).over(box.low[None], box.high[None]).bounds_of(relu)
            ranges.append((lower[0], upper[0]))
        for lower, upper in ranges:
            for k in range(relu.size):
                assert lower[k] <= low[k]
                assert high[k] <= upper[k]


@given(seed=st.integers(0, 10**6))
@settings(max_examples=8)
def test_what_can_be_satisfied_is_never_unsat(seed: int) -> None:
    generator, network, box, pieces = odd_case(seed)
    conjunction = Conjunction(generator.integers(1, 3, size=(1, 2)) * np.array([[1.0, -1.0]]), np.zeros(1))
    norm = SlackObjective.normalised(conjunction).norm
    largest = largest_minimum(pieces, network.output, conjunction, norm) * Fraction(norm[0])
    bound = np.nextafter(float(-largest), np.inf)  # at most an ulp of room
    prop = Property((Case(box, (Conjunction(conjunction.output_matrix, np.array([bound])),)),), 2, 2)

    result = verify(network, prop, solver="native", time_limit=0.5)

    assert result.status.value != "unsat"
    assert result.dual_bound is None or result.dual_bound >= 0.0


@given(seed=st.integers(0, 10**6))
@settings(max_examples=8)
def test_no_dual_bound_lies_below_the_exact_maximum(seed: int) -> None:
    _, network, box, pieces = odd_case(seed)
    weights = np.array([1.0, -1.0])
    largest = largest_minimum(pieces, network.output, Conjunction(-weights[None], np.zeros(1)), np.ones(1))

    result = maximize(network, box, weights=weights, solver="native", time_limit=0.5)

    assert result.dual_bound is None or Fraction(result.dual_bound) >= largest
