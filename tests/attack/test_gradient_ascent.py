"""The attack: what it finds is a member and has the value it says; it finds what there is on known problems."""

from __future__ import annotations

import csv
import threading
import time
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from netopt.attack.gradient_ascent import RestartSearch, ascend_linear, attack_case
from netopt.errors import InputError
from netopt.network.build import from_weights
from netopt.network.load import load_network
from netopt.network.network import Network
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.integer import IntegerPoints
from netopt.specification.l1_ball import L1Ball
from netopt.specification.polytope import Polytope
from netopt.specification.property import Case, Conjunction
from netopt.specification.vnnlib import read_vnnlib


def perceptron(rng: np.random.Generator, sizes: list[int]) -> Network:
    weights = [rng.standard_normal((b, a)) for a, b in pairwise(sizes)]
    return from_weights(weights, [rng.standard_normal(w.shape[0]) for w in weights])


def grid(box: Box, points: int) -> np.ndarray:
    axes = [np.linspace(a, b, points) for a, b in zip(box.low, box.high, strict=True)]
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes)], axis=1)


DOMAINS: dict[str, Domain] = {
    "box": Box(np.full(4, -1.0), np.ones(4)),
    "fixed inputs": Box(np.array([-1.0, 0.3, -1.0, 0.1]), np.array([1.0, 0.3, 1.0, 0.1])),
    "ball": L1Ball(np.zeros(4), 1.2, np.full(4, -1.0), np.ones(4)),
    "polytope": Polytope(np.ones((1, 4)), [-0.5], [0.5], np.full(4, -1.0), np.ones(4)),
    "flat polytope": Polytope(np.ones((1, 4)), [0.5], [0.5], np.full(4, -1.0), np.ones(4)),
    "integers": IntegerPoints(Box(np.full(4, -2.5), np.full(4, 2.5)), np.array([True, True, False, False])),
    "integer ball": IntegerPoints(L1Ball(np.zeros(4), 3.0, np.full(4, -2.0), np.full(4, 2.0)), np.ones(4, dtype=bool)),
    "point": Box(np.ones(4), np.ones(4)),
}


@settings(max_examples=12)
@given(st.integers(0, 2**32 - 1))
def test_reaches_the_best_of_a_dense_grid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = perceptron(rng, [2, 12, 8, 3])
    box = Box(np.full(2, -1.0), np.ones(2))
    weights = rng.standard_normal(3)
    best = (network.forward(grid(box, 120)) @ weights).max()
    point, value = ascend_linear(network, box, weights, generator=rng, rounds=4)
    assert value == pytest.approx(float(network.forward(point) @ weights), rel=1e-12)
    assert value >= best - 1e-3 * (1.0 + abs(best))


@pytest.mark.parametrize("name", sorted(DOMAINS))
def test_points_are_members_with_their_values(name: str) -> None:
    domain = DOMAINS[name]
    rng = np.random.default_rng(1)
    network = perceptron(rng, [4, 10, 3])
    inputs = sparse.csr_array(np.array([[0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, -1.0]]))
    disjuncts = (
        Conjunction(rng.standard_normal((2, 3)), np.full(2, -1.0), inputs),
        Conjunction(rng.standard_normal((1, 3)), np.array([-30.0])),
    )
    result = attack_case(network, Case(domain, disjuncts), generator=rng, rounds=2, target=np.inf)
    assert domain.contains(result.points).all()
    assert result.values.shape == (2,)
    for k, disjunct in enumerate(disjuncts):
        norm = np.sqrt((disjunct.output_matrix**2).sum(axis=1))
        if disjunct.input_matrix is not None:
            norm = np.sqrt(norm**2 + disjunct.input_matrix.power(2).sum(axis=1))
        x = result.points[[k]]
        slack = (disjunct.slack(x, network.forward(x)) / norm).min()
        assert result.values[k] == pytest.approx(slack, rel=1e-12)
    assert result.value == result.values.max() == result.values[result.disjunct]
    assert np.array_equal(result.point, result.points[result.disjunct])
    assert result.value >= max(
        (disjunct.slack(x, network.forward(x)).min(axis=1) / 10.0).max()
        for disjunct in disjuncts
        for x in [domain.sample(rng, 50)]
    )


@pytest.mark.parametrize("name", ["integers", "integer ball"])
def test_integer_domains_reach_their_best(name: str) -> None:
    domain = DOMAINS[name]
    rng = np.random.default_rng(2)
    network = perceptron(rng, [4, 10, 1])
    lattice = np.array(list(product(range(-2, 3), repeat=4)), dtype=np.float64)
    lattice = lattice[domain.contains(lattice)]
    best = network.forward(lattice).max()
    _, value = ascend_linear(network, domain, np.ones(1), generator=rng, rounds=1)
    assert value >= best - 1e-9


def test_same_generator_gives_the_same_result() -> None:
    network = perceptron(np.random.default_rng(3), [4, 20, 5])
    case = Case(DOMAINS["box"], tuple(Conjunction(row[None], np.array([-9.0])) for row in np.eye(5)))
    first, second = (attack_case(network, case, generator=np.random.default_rng(7), rounds=3) for _ in range(2))
    assert np.array_equal(first.points, second.points)
    assert np.array_equal(first.values, second.values)


def test_rounds_go_on_from_those_of_an_earlier_call(monkeypatch: pytest.MonkeyPatch) -> None:
    network = perceptron(np.random.default_rng(3), [4, 20, 5])
    case = Case(DOMAINS["box"], (Conjunction(np.eye(5)[:1], np.array([-1e3])),))
    climbs: list[tuple[int, int]] = []
    climb = RestartSearch._climb

    def noted(self: RestartSearch, number: int) -> None:
        climbs.append((number, self.batch))
        climb(self, number)

    monkeypatch.setattr(RestartSearch, "_climb", noted)
    attack_case(network, case, generator=np.random.default_rng(7), rounds=3)
    together, climbs[:] = climbs.copy(), []
    starts, values = None, [-np.inf]
    for made in range(3):
        result = attack_case(network, case, generator=np.random.default_rng(7), rounds=1, made=made, starts=starts)
        starts = result.points
        values.append(result.value)
    assert climbs == together
    assert values == sorted(values)  # what was found before is kept


def test_given_starts_are_used_and_moved_inside() -> None:
    rng = np.random.default_rng(4)
    network = perceptron(rng, [4, 30, 30, 1])
    domain = DOMAINS["box"]
    start = domain.sample(rng, 500)
    top = start[network.forward(start)[:, 0].argmax()]
    _, value = ascend_linear(network, domain, np.ones(1), generator=rng, starts=top, rounds=0)
    assert value == pytest.approx(network.forward(top)[0], rel=1e-12)
    point, _ = ascend_linear(network, domain, np.ones(1), generator=rng, starts=np.full((1, 4), 9.0), rounds=0)
    assert domain.contains(point[None])[0]


def test_conjunction_without_rows_always_holds() -> None:
    network = perceptron(np.random.default_rng(0), [4, 3, 2])
    case = Case(
        DOMAINS["box"], (Conjunction(np.ones((1, 2)), np.array([-99.0])), Conjunction(np.zeros((0, 2)), np.zeros(0)))
    )
    result = attack_case(network, case, generator=np.random.default_rng(0), rounds=1)
    assert (result.value, result.disjunct) == (0.0, 1)


def test_deadline_and_interrupt_stop_it() -> None:
    network = perceptron(np.random.default_rng(0), [4, 64, 64, 1])
    begun = time.monotonic()
    ascend_linear(network, DOMAINS["box"], np.ones(1), generator=np.random.default_rng(0), deadline=begun + 0.3)
    assert 0.3 <= time.monotonic() - begun < 5.0
    halt = threading.Event()
    halt.set()
    begun = time.monotonic()
    point, value = ascend_linear(
        network, DOMAINS["box"], np.ones(1), generator=np.random.default_rng(0), deadline=begun + 60.0, interrupt=halt
    )
    assert time.monotonic() - begun < 5.0
    assert value == pytest.approx(network.forward(point)[0], rel=1e-12)


def test_refuses_what_does_not_fit() -> None:
    network = perceptron(np.random.default_rng(0), [3, 2])
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="4 inputs and 2 outputs"):
        attack_case(network, Case(DOMAINS["box"], (Conjunction(np.ones((1, 2)), np.zeros(1)),)), generator=rng)
    with pytest.raises(InputError, match="no disjuncts"):
        attack_case(network, Case(Box(np.zeros(3), np.ones(3)), ()), generator=rng)
    with pytest.raises(InputError, match="empty"):
        ascend_linear(network, Box(np.ones(3), np.zeros(3)), np.ones(2), generator=rng)


@pytest.mark.parametrize(("benchmark", "most"), [("rl_benchmarks", 12), ("tllverifybench_2023", 4), ("mnist_fc", 1)])
def test_finds_known_counterexamples(benchmark: str, most: int, vnncomp: Path) -> None:
    folder = vnncomp / benchmark
    with (folder / "instances.csv").open() as file:
        known = [row for row in csv.DictReader(file) if row["truth"] == "sat"][:most]
    assert len(known) == most
    for row in known:
        network = load_network(folder / f"{row['onnx']}.gz")
        prop = read_vnnlib(folder / f"{row['vnnlib']}.gz")
        deadline = time.monotonic() + 30.0
        values = [
            attack_case(network, case, generator=np.random.default_rng(0), deadline=deadline).value
            for case in prop.cases
        ]
        assert max(values) >= 0.0, row


def test_never_claims_a_proved_property(vnncomp: Path) -> None:
    folder = vnncomp / "rl_benchmarks"
    with (folder / "instances.csv").open() as file:
        proved = [row for row in csv.DictReader(file) if row["truth"] == "unsat"][:8]
    for row in proved:
        network = load_network(folder / f"{row['onnx']}.gz")
        for case in read_vnnlib(folder / f"{row['vnnlib']}.gz").cases:
            assert attack_case(network, case, generator=np.random.default_rng(0), rounds=1).value < 0.0


@pytest.mark.parametrize("name", DOMAINS)
def test_networks_too_large_for_a_batch_are_evaluated_point_by_point(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netopt.attack.gradient_ascent._WORK", 4)
    network, domain = perceptron(np.random.default_rng(3), [4, 8, 2]), DOMAINS[name]
    batches: list[int] = []

    def noted(self: Network, points: np.ndarray) -> np.ndarray:
        batches.append(len(points))
        return forward(self, points)

    forward = Network.forward
    monkeypatch.setattr(Network, "forward", noted)
    weights = np.array([1.0, -1.0])
    point, value = ascend_linear(network, domain, weights, generator=np.random.default_rng(0), rounds=4)
    assert domain.contains(point[None], 1e-9).all()
    assert value == pytest.approx(float(forward(network, point[None])[0] @ weights))
    at_centre = float(forward(network, domain.center[None])[0] @ weights)
    assert (value > at_centre) == (name != "point")
    assert max(batches) == 1
