"""Linear regions, walks, root relaxations and the portfolio, against brute force over activation patterns."""

from __future__ import annotations

from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import linprog

from netopt.attack.ascent import Best
from netopt.attack.climb import Climber
from netopt.attack.improve import improve
from netopt.attack.objective import SlackBatch
from netopt.attack.portfolio import portfolio
from netopt.attack.region import Region, maximize_over_region
from netopt.attack.relaxing_walk import relaxing_walk
from netopt.attack.root_lp import RootLp
from netopt.attack.sampled_regions import sampled_regions
from netopt.attack.walk import walk
from netopt.bounds.crown import crown_bounds
from netopt.errors import InputError
from netopt.network.build import from_weights
from netopt.network.gradient import value_and_gradient
from netopt.network.load import load_network
from netopt.network.network import Network
from netopt.network.single import SINGLE, single_precision
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.integer import IntegerPoints
from netopt.specification.l1_ball import L1Ball
from netopt.specification.polytope import Polytope
from netopt.specification.property import Conjunction

NETWORKS = Path(__file__).resolve().parents[2] / "instances" / "networks"
DOMAINS: dict[str, Domain] = {
    "box": Box(np.full(3, -1.0), np.ones(3)),
    "fixed input": Box(np.array([-1.0, 0.3, -1.0]), np.array([1.0, 0.3, 1.0])),
    "ball": L1Ball(np.zeros(3), 1.2, np.full(3, -1.0), np.ones(3)),
    "polytope": Polytope(np.ones((1, 3)), [-0.5], [0.5], np.full(3, -1.0), np.ones(3)),
    "integers": IntegerPoints(Box(np.full(3, -2.0), np.full(3, 2.0)), np.array([True, False, False])),
    "point": Box(np.ones(3), np.ones(3)),
}


def perceptron(rng: np.random.Generator, sizes: list[int], dead: bool = False) -> Network:
    weights = [rng.standard_normal((b, a)) for a, b in pairwise(sizes)]
    biases = [rng.standard_normal(w.shape[0]) for w in weights]
    if dead:
        weights[0][0], biases[0][0] = 0.0, 0.0
    return from_weights(weights, biases)


def matrices(network: Network) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(node.maps[0].to_csr().toarray(), node.bias) for node in network.affines]


def over_pattern(network: Network, pattern: list[np.ndarray], box: Box) -> float:
    """The largest output over a box where the neurons have given phases, by SciPy; -inf where no point has them."""
    layers = matrices(network)
    a, c = np.eye(box.dimension), np.zeros(box.dimension)
    rows, sides = [], []
    for (weight, bias), active in zip(layers[:-1], pattern, strict=True):
        a, c = weight @ a, weight @ c + bias
        sign = np.where(active, 1.0, -1.0)
        rows.append(-sign[:, None] * a)
        sides.append(sign * c)
        a, c = a * active[:, None], c * active
    weight, bias = layers[-1]
    bounds = np.stack([box.low, box.high], axis=1)
    answer = linprog(-(weight @ a)[0], A_ub=np.concatenate(rows), b_ub=np.concatenate(sides), bounds=bounds)
    return -np.inf if answer.status == 2 else float(-answer.fun + (weight @ c + bias)[0])


def optimum(network: Network, box: Box) -> float:
    sizes = [relu.size for relu in network.relus]
    ends = np.cumsum(sizes)[:-1]
    patterns = (np.split(np.array(bits), ends) for bits in product([False, True], repeat=sum(sizes)))
    return max(over_pattern(network, pattern, box) for pattern in patterns)


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_region_program_agrees_with_another_solver(seed: int, dead: bool) -> None:
    rng = np.random.default_rng(seed)
    network = perceptron(rng, [3, 8, 6, 1], dead)
    box = DOMAINS["box"]
    assert isinstance(box, Box)
    point = box.sample(rng, 1)[0]
    region = Region.of(network, point)
    objective = SlackBatch.linear(np.ones(1))
    top = maximize_over_region(region, box, objective, 0, stopped=lambda: False)
    expected = over_pattern(network, list(region.phase.values()), box)
    assert network.forward(top)[0] == pytest.approx(expected, abs=1e-5 * (1.0 + abs(expected)))
    assert region.preactivations(top).min() >= -1e-5


@pytest.mark.parametrize("name", ["fashion-residual", "mnist-cnn"])
def test_rows_of_a_region_are_the_pre_activations(name: str) -> None:
    network = load_network(NETWORKS / f"{name}.onnx")
    rng = np.random.default_rng(0)
    point, other = rng.random((2, network.input_size))
    region = Region.of(network, point)
    index = rng.choice(network.relu_count, size=30, replace=False)
    forms = region.neurons(index)
    for x in (point, other):
        assert np.allclose(forms.matrix @ x + forms.constant, region.preactivations(x)[index], atol=1e-9)
    assert region.preactivations(point).min() >= 0.0
    output = region.outputs(np.eye(network.output_size))
    assert np.allclose(output.matrix @ point + output.constant, network.forward(point), atol=1e-9)


@settings(max_examples=3)
@given(st.integers(0, 2**32 - 1))
def test_portfolio_and_relaxing_walk_against_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = perceptron(rng, [3, 5, 3, 1])
    box = DOMAINS["box"]
    assert isinstance(box, Box)
    best = optimum(network, box)
    slack = 1e-5 * (1.0 + abs(best))
    objective = SlackBatch.linear(np.ones(1))
    found = portfolio(network, box, objective, generator=rng, rounds=2)
    assert best - slack <= found.values[0] <= best + slack
    walked = relaxing_walk(network, box, objective, crown_bounds(network, box), generator=rng, restarts=4)
    assert walked.values[0] <= best + slack
    assert walked.values[0] == pytest.approx(network.forward(walked.points[0])[0], rel=1e-12)
    root = RootLp(network, box, objective, 0, crown_bounds(network, box), lambda: False)
    assert root.solve() is not None
    free = root.preactivations.size
    root.fix(np.ones(free, dtype=bool), root.preactivations > 0.0)
    if root.solve() is not None:
        assert root.gaps.max(initial=0.0) < 1e-6


@pytest.mark.parametrize("name", sorted(DOMAINS))
def test_every_heuristic_returns_members_with_their_values(name: str) -> None:
    domain = DOMAINS[name]
    rng = np.random.default_rng(5)
    network = perceptron(rng, [3, 12, 8, 3], dead=True)
    inputs = sparse.csr_array(np.array([[0.0, 0.0, 0.0], [1.0, 0.0, -1.0]]))
    disjuncts = (
        Conjunction(rng.standard_normal((2, 3)), np.full(2, -1.0), inputs),
        Conjunction(rng.standard_normal((1, 3)), np.array([-9.0])),
    )
    objective = SlackBatch.of(disjuncts)
    start = domain.sample(rng, 3)
    before = objective.values(network, start).max(axis=0)
    improved = improve(network, domain, objective, start, generator=rng)
    assert (improved.values >= before).all()
    sampled = Best.empty(2, 3)
    assert (
        sampled_regions(network, domain, objective, regions=3, best=sampled, stopped=lambda: False, generator=rng) == 3
    )
    together = portfolio(network, domain, objective, generator=rng, starts=start, rounds=2 if name != "polytope" else 1)
    assert (together.values >= before).all()
    for best in (improved, sampled, together):
        assert domain.contains(best.points, 1e-9).all()
        assert best.values == pytest.approx(np.diag(objective.values(network, best.points)), abs=1e-12)


def test_walk_climbs_and_stops_when_told() -> None:
    rng = np.random.default_rng(1)
    network = perceptron(rng, [20, 30, 30, 1])
    box = Box(np.zeros(20), np.ones(20))
    objective = SlackBatch.linear(np.ones(1))
    best = Best.empty(1, 20)
    value = walk(network, box, objective, 0, box.center, best=best, stopped=lambda: False, generator=rng)
    assert value == best.values[0] > network.forward(box.center)[0]
    halted = Best.empty(1, 20)
    value = walk(network, box, objective, 0, box.center, best=halted, stopped=lambda: True, generator=rng)
    assert value == pytest.approx(network.forward(box.center)[0], rel=1e-12)


def test_portfolio_is_reproducible_and_stops_at_its_target() -> None:
    network = perceptron(np.random.default_rng(3), [10, 20, 20, 1])
    box = Box(np.zeros(10), np.ones(10))
    objective = SlackBatch.linear(np.ones(1))
    first, second = (portfolio(network, box, objective, generator=np.random.default_rng(7), rounds=2) for _ in range(2))
    assert np.array_equal(first.points, second.points)
    aimed = portfolio(network, box, objective, generator=np.random.default_rng(7), target=float(first.values[0]) - 1.0)
    assert aimed.values[0] >= first.values[0] - 1.0


def test_single_precision_is_close_or_refused() -> None:
    network = load_network(NETWORKS / "mnist-cnn.onnx")
    single = single_precision(network)
    assert single is not None
    x = np.random.default_rng(0).random((4, 784))
    cotangent = np.ones((4, 10))
    y, gradient = value_and_gradient(network, x, cotangent)
    y32, gradient32 = value_and_gradient(single, x.astype(SINGLE), cotangent.astype(SINGLE))
    assert y32.dtype == gradient32.dtype == np.float32
    assert np.allclose(y32, y, atol=1e-3)
    assert np.allclose(gradient32, gradient, atol=1e-3)
    assert single_precision(from_weights([[[1e30]]], [[0.0]])) is None
    tiny = Box(np.ones(1), np.ones(1) + 1e-9)
    climber = Climber.of(from_weights([[[1.0]]], [[0.0]]), tiny, SlackBatch.linear(np.ones(1)))
    assert climber.kind is np.float64
    zero = np.zeros(1)
    points, values = climber.climb(np.ones((1, 1)), zero.astype(int), zero, np.array([0.7, 0.7]), lambda: False)
    assert points[0, 0] == values[0] == tiny.high[0]


def test_refuses_points_that_do_not_fit() -> None:
    network = perceptron(np.random.default_rng(0), [3, 2, 1])
    with pytest.raises(InputError, match="points to improve"):
        improve(
            network, DOMAINS["box"], SlackBatch.linear(np.ones(1)), np.zeros((2, 4)), generator=np.random.default_rng(0)
        )
