"""The pruned part of a layer: what is chosen, what is known of it, and that no point of the domain escapes."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from bound_cases import NETWORKS
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations.big_m import BigM
from netopt.bounds.compute import compute_bounds
from netopt.bounds.rows import upper_functions
from netopt.encoding.encode import encode
from netopt.engines.objective import SlackObjective
from netopt.engines.relaxed_model import RelaxedModel
from netopt.errors import InputError
from netopt.network.build import from_weights
from netopt.network.network import Network
from netopt.network.nodes import Affine
from netopt.relaxation.separation import Separator
from netopt.relaxation.split import put_back, split_rows
from netopt.relaxation.support import Support
from netopt.solvers.highs import Highs
from netopt.solvers.parameters import SolverParameters
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.l1_ball import L1Ball


def relaxed(network: Network, domain: Domain, rate: float, deep: float = 0.0, ties: int = 0) -> RelaxedModel:
    objective = SlackObjective.linear(np.ones(network.output_size))
    bounds = compute_bounds(network, domain)
    model = RelaxedModel.split(network, domain, objective, bounds, BigM(), rate, deep)
    return model.tie(ties, lambda: False, None) if ties else model


def domains(n: int) -> dict[str, Domain]:
    middle = np.linspace(-0.5, 0.5, n)
    return {
        "box": Box(middle - 0.4, middle + 0.6),
        "l1": L1Ball(middle, 0.8, middle - 0.5, middle + 1.0),
        "point": Box(middle, middle),
    }


def perceptron(seed: int, sizes: tuple[int, ...], scale: float = 1.0) -> Network:
    generator = np.random.default_rng(seed)
    weights = [generator.normal(size=(o, i)) * scale for i, o in itertools.pairwise(sizes)]
    return from_weights(weights, [generator.normal(size=o) * scale for o in sizes[1:]])


def matrix_of(part: Affine) -> np.ndarray:
    return np.sum([linear_map.to_csr().toarray() for linear_map in part.maps], axis=0)


@pytest.mark.parametrize("kind", ["box", "l1"])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_hundred_thousand_points_stay_within_ranges_and_ties(kind: str, scale: float) -> None:
    network = perceptron(1, (20, 8, 5, 1), scale)
    domain = domains(20)[kind]
    model = relaxed(network, domain, 0.7, ties=10)
    (remainder,) = model.remainders.values()
    assert remainder.directions.shape[0] > 0
    points = np.concatenate(
        [
            domain.sample(np.random.default_rng(0), 100_000),
            domain.maximizer(remainder.directions @ matrix_of(remainder.part)),
        ]
    )
    slack = points @ matrix_of(remainder.part).T
    assert (slack >= remainder.lower).all()
    assert (slack <= remainder.upper).all()
    assert (slack @ remainder.directions.T <= remainder.limits).all()
    # The maximisers attain the limits: the ties are as tight as they can be.
    reached = (slack[100_000:] * remainder.directions).sum(axis=1)
    assert reached == pytest.approx(remainder.limits, rel=1e-9, abs=1e-9 * scale)


@pytest.mark.parametrize("kind", ["box", "l1", "point"])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_point_of_the_network_is_a_point_of_the_relaxed_model(name: str, kind: str) -> None:
    network = NETWORKS[name]
    domain = domains(network.input_size)[kind]
    model = relaxed(network, domain, 0.6, deep=0.5, ties=5)
    written = model.build()
    for x in domain.sample(np.random.default_rng(2), 25):
        start = written.start(x)
        assert written.model.violation(start) <= 1e-9
        value = model.objective.value(x[None], network.forward(x)[None])[0]
        assert written.model.objective_value(start) == pytest.approx(value, abs=1e-9)


@given(seed=st.integers(0, 10**6), rate=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
@settings(max_examples=30)
def test_the_rate_is_exact_and_the_smallest_contributions_go_first(seed: int, rate: float) -> None:
    network = perceptron(seed, (7, 5, 1))
    box = Box(np.zeros(7), np.random.default_rng(seed).uniform(0.0, 2.0, size=7))
    affine = network.nodes[0]
    assert isinstance(affine, Affine)
    support = Support(network, box, compute_bounds(network, box))
    part = matrix_of(split_rows(affine, support, np.ones(5, dtype=bool), rate))
    whole = affine.maps[0].to_csr().toarray()
    assert np.count_nonzero(part) == round(rate * np.count_nonzero(whole))
    assert (part[part != 0.0] == whole[part != 0.0]).all()
    contribution = np.abs(whole) * support.width(affine.inputs[0])
    for k in range(5):
        gone, stays = contribution[k][part[k] != 0.0], contribution[k][part[k] == 0.0]
        if gone.size and stays.size:
            assert gone.max() <= stays.min() + 1e-12


def test_rows_are_put_back_whole_worst_first_until_none_is_left() -> None:
    network = perceptron(3, (6, 4, 1))
    box = Box(-np.ones(6), np.ones(6))
    affine = network.nodes[0]
    assert isinstance(affine, Affine)
    support = Support(network, box, compute_bounds(network, box))
    remainder = support.remainder(split_rows(affine, support, np.ones(4, dtype=bool), 1.0))
    part = matrix_of(put_back(affine, remainder, np.array([0.1, 0.9, 0.0, 0.5]), 0.5))
    assert np.flatnonzero(part.any(axis=1)).tolist() == [0, 2]
    assert not matrix_of(put_back(affine, remainder, np.zeros(4), 1.0)).any()


@pytest.mark.parametrize("kind", ["box", "l1"])
def test_directions_part_what_no_input_gives_and_nothing_else(kind: str) -> None:
    domain = domains(12)[kind]
    network = perceptron(5, (12, 6, 1))
    (remainder,) = relaxed(network, domain, 1.0).remainders.values()
    separator = Separator(domain, remainder)
    matrix = matrix_of(remainder.part)
    far = separator.direction(remainder.upper)  # every row at its best at once
    assert far is not None
    assert far @ remainder.upper > domain.maximize_linear((far @ matrix)[None])[0] + 1e-6
    image = domain.sample(np.random.default_rng(0), 1)[0] @ matrix.T
    assert separator.gap(image).max() < 0.05
    assert domain.contains(separator.nearest(image)[None], 1e-9)[0]


def test_a_remainder_of_a_layer_with_columns_of_its_own_is_refused() -> None:
    network = NETWORKS["residual"]
    box = Box(-np.ones(3), np.ones(3))
    bounds = compute_bounds(network, box)
    affine = network["a3"]
    assert isinstance(affine, Affine)
    support = Support(network, box, bounds)
    remainder = support.remainder(split_rows(affine, support, np.ones(6, dtype=bool), 0.5))
    with pytest.raises(InputError, match="r3 reads a3, which other nodes read too"):
        encode(network, box, bounds, BigM(), remainders={"r3": remainder})


def test_a_layer_that_is_all_slack_and_tied_bounds_no_worse_than_crown() -> None:
    network = perceptron(7, (15, 8, 6, 2))
    for domain in domains(15).values():
        model = relaxed(network, domain, 1.0, ties=1).build()
        relaxation = replace(model.model, integral=np.zeros(model.model.column_count, dtype=bool))
        bound = Highs().solve(relaxation, SolverParameters()).dual_bound
        crown = upper_functions(network, domain, compute_bounds(network, domain), np.ones((1, 2))).bound[0]
        assert bound <= crown + 1e-6 * (1.0 + abs(crown))
