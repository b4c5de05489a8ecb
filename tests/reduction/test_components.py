"""The constraint graph, independent components, and objectives solved apart."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reduction_cases import KINDS, random_network
from scipy.linalg import block_diag

from formulations.registry import parse_formulation
from netopt.bounds.compute import compute_bounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.engines.engine import Maximization
from netopt.engines.milp import MilpEngine
from netopt.engines.objective import SlackObjective
from netopt.errors import InputError
from netopt.network.build import from_weights
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.neuron_graph import NeuronGraph
from netopt.network.nodes import Affine, Relu
from netopt.reduction.components import components
from netopt.reduction.reduce import reduce_network
from netopt.reduction.separate import separate
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.registry import get_solver
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.l1_ball import L1Ball

ENGINE = MilpEngine(get_solver("highs"), parse_formulation("big-m"))


def block_network(seed: int, blocks: int = 3, outputs: int = 2) -> Network:
    """Return blocks of 2 inputs, 4 and 3 neurons that share nothing; outputs read all of them, an input none."""
    generator = np.random.default_rng(seed)
    first = block_diag(*generator.normal(size=(blocks, 4, 2)))
    second = block_diag(*generator.normal(size=(blocks, 3, 4)))
    mixed = generator.permutation(blocks * 4)
    first = np.hstack([first, np.zeros((blocks * 4, 1))])
    last = generator.normal(size=(outputs, blocks * 3))
    biases = [generator.normal(size=size) * 0.3 for size in (blocks * 4, blocks * 3, outputs)]
    return from_weights([first[mixed], second[:, mixed], last], [biases[0], biases[1], biases[2]])


@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_has_an_edge_for_every_weight(kind: str) -> None:
    network = random_network(kind, 5)
    graph = network.constraint_graph()
    own = {source for node in network.affines for source in node.inputs} | {network.output}
    count = 0
    for node in network.nodes:
        affine = network[node.input] if isinstance(node, Relu) else node
        assert isinstance(affine, Affine)
        if isinstance(node, Relu) and affine.name in own:
            assert all(graph.has_edge((affine.name, k), (node.name, k)) for k in range(node.size))
            count += node.size
        elif isinstance(node, Relu) or node.name in own:
            for source, linear_map in zip(affine.inputs, affine.maps, strict=True):
                matrix = linear_map.to_csr().toarray()
                for row, column in np.argwhere(matrix):
                    assert graph.has_edge((source, column), (node.name, row))
    assert nx.is_directed_acyclic_graph(graph)
    assert graph.number_of_nodes() == network.input_size + sum(n.size for n in network.relus) + sum(
        n.size for n in network.affines if n.name in own
    )
    assert graph.nodes[(INPUT, 0)]["kind"] == "input"


def test_edges_carry_weights() -> None:
    network = from_weights([[[2.0, 0.0]], [[-3.0]]], [[0.0], [0.0]])
    edges = list(network.constraint_graph().edges(data="weight"))
    assert edges == [((INPUT, 0), ("layer1.relu", 0), 2.0), (("layer1.relu", 0), ("output.affine", 0), -3.0)]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 10**6))
def test_components_are_those_of_networkx(kind: str, seed: int) -> None:
    network = random_network(kind, seed)
    wanted = set()
    for members in nx.weakly_connected_components(network.constraint_graph()):
        if any(name != INPUT for name, _ in members):
            wanted.add(frozenset((str(name), int(k)) for name, k in members))
    found = set()
    for part in components(network):
        members = {(INPUT, int(k)) for k in part.inputs} | {(network.output, int(k)) for k in part.outputs}
        found.add(frozenset(members | {(name, int(k)) for name, rows in part.neurons.items() for k in rows}))
    assert found == wanted


def test_a_group_of_the_graph() -> None:
    network = from_weights([[[2.0, 0.0]], [[-3.0]]], [[0.0], [0.0]])
    graph = NeuronGraph.of(network)
    assert (graph.group("layer1.relu").start, graph.group("layer1.relu").stop) == (2, 3)


def maximum(
    network: Network, domain: Domain, weights: np.ndarray, bounds: PreactivationBounds
) -> tuple[float, np.ndarray]:
    parameters = SolverParameters(relative_gap=0.0, absolute_gap=1e-9, time_limit=60.0)
    answer = ENGINE.maximize(Maximization(network, domain, SlackObjective.linear(weights), bounds, parameters))
    assert answer.point is not None
    return answer.dual_bound, answer.point


def check_separation(network: Network, box: Box, weights: np.ndarray, parts: int | None = None) -> None:
    bounds = compute_bounds(network, box)
    separation = separate(network, box, weights, bounds)
    if parts is not None:
        assert len(separation.parts) == parts
    # Every point is worth the constant and the sum of its parts, where the other inputs are at their best.
    points = np.tile(separation.point, (20, 1))
    drawn = box.sample(np.random.default_rng(0), 20)
    total = np.full(20, separation.constant)
    for part in separation.parts:
        points[:, part.inputs] = drawn[:, part.inputs]
        total += part.network.forward(drawn[:, part.inputs])[:, 0]
        assert (part.network.forward(drawn[:, part.inputs]) <= part.bounds.output_upper).all()
        part.bounds.require(part.network)
    np.testing.assert_allclose(network.forward(points) @ weights, total, atol=1e-9 * (1.0 + np.abs(total).max()))
    answers = [maximum(part.network, part.domain, np.ones(1), part.bounds) for part in separation.parts]
    together = separation.constant + sum(value for value, _ in answers)
    joint, _ = maximum(network, box, weights, bounds)
    assert together == pytest.approx(joint, rel=1e-6, abs=1e-6)
    point = separation.join([point for _, point in answers])
    assert box.contains(point[None], 1e-9).all()
    assert float(network.forward(point) @ weights) == pytest.approx(joint, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_separate_maxima_add_up(seed: int) -> None:
    network = block_network(seed)
    check_separation(network, Box(-np.ones(7), np.ones(7)), np.array([1.0, -0.5]), parts=3)


def test_reduction_leaves_blocks_apart() -> None:
    network = block_network(9)
    box = Box(-np.ones(7), np.ones(7))
    reduction = reduce_network(network, box, compute_bounds(network, box))
    assert len(components(network)) == 1  # the outputs read all
    separation = separate(reduction.network, box, np.array([1.0, 2.0]), reduction.bounds)
    assert sorted(part.inputs.tolist() for part in separation.parts) == [[0, 1], [2, 3], [4, 5]]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["plain", "residual"]), st.integers(0, 10**6))
def test_any_network_separates_rightly(kind: str, seed: int) -> None:
    network = random_network(kind, seed)
    box = Box(-np.full(network.input_size, 0.5), np.linspace(0.3, 1.0, network.input_size))
    check_separation(network, box, np.array([1.0, -1.0]))


def test_what_the_objective_does_not_see_is_left_out() -> None:
    network = from_weights([np.eye(3), np.eye(3)], [np.zeros(3), np.zeros(3)])
    box = Box(-np.ones(3), np.ones(3))
    separation = separate(network, box, np.array([0.0, 1.0, 0.0]), compute_bounds(network, box))
    assert [part.inputs.tolist() for part in separation.parts] == [[1]]


def test_constants_and_linear_terms_need_no_part() -> None:
    nodes = from_weights([[[0.0, 0.0]], [[3.0]]], [[2.0], [1.0]]).nodes
    affine = nodes[-1]
    assert isinstance(affine, Affine)
    skip = from_weights([[[1.0, -2.0]]], [[0.0]]).affines[0].maps[0]
    last = Affine("y", (*affine.inputs, INPUT), (*affine.maps, skip), affine.bias)
    network = Network((*nodes[:-1], last), "y", (TensorSpec("X", (1, 2)),), (TensorSpec("Y", (1, 1)),))
    box = Box(-np.ones(2), np.ones(2))
    separation = separate(network, box, np.ones(1), compute_bounds(network, box))
    assert (separation.parts, separation.constant, separation.point.tolist()) == ((), 10.0, [1.0, -1.0])


def test_other_domains_stay_whole() -> None:
    network = block_network(2)
    ball = L1Ball(np.zeros(7), 1.0, -np.ones(7), np.ones(7))
    bounds = compute_bounds(network, ball)
    weights = np.array([1.0, 1.0])
    separation = separate(network, ball, weights, bounds)
    (part,) = separation.parts
    value, point = maximum(part.network, part.domain, np.ones(1), part.bounds)
    joint, _ = maximum(network, ball, weights, bounds)
    assert value + separation.constant == pytest.approx(joint, abs=1e-6)
    assert separation.join([point]).tolist() == point.tolist()


def test_wrong_shapes_are_refused() -> None:
    network = block_network(0)
    box = Box(-np.ones(7), np.ones(7))
    with pytest.raises(InputError, match="weights of shape"):
        separate(network, box, np.ones(3), compute_bounds(network, box))
