"""Whole networks as models: optima against brute force over activation patterns, and starts that are feasible."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import linprog

from formulations.errors import UnboundedNeuronError
from formulations.milp import VANISHED, MilpModel
from formulations.registry import FORMULATIONS, parse_formulation
from netopt.bounds.compute import compute_bounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.encoding.encode import encode
from netopt.encoding.encoding import Encoding
from netopt.errors import InputError
from netopt.network.build import from_weights
from netopt.network.dense import Dense
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine, Node, Relu
from netopt.network.sparse import Sparse
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.registry import get_solver
from netopt.solvers.result import Termination
from netopt.specification.box import Box
from netopt.specification.l1_ball import L1Ball

FORMS = (*sorted(FORMULATIONS), "partition:3:equal-range")


def random_network(generator: np.random.Generator, kind: str) -> Network:
    """Return a small network: a plain one, or a DAG with residual branches, shared nodes and repeated inputs."""

    def matrix(rows: int, columns: int) -> np.ndarray:
        weight = np.round(generator.normal(size=(rows, columns)), 2)
        weight[generator.random((rows, columns)) < 0.25] = 0.0
        return weight

    def bias(rows: int) -> np.ndarray:
        return np.round(generator.normal(size=rows), 2)

    n = 3
    nodes: list[Node] = [Affine("a1", (INPUT,), (Dense(matrix(3, n)),), bias(3)), Relu("r1", "a1", 3)]
    if kind == "plain":
        nodes.append(Affine("a2", ("r1",), (Sparse(sparse.csr_array(matrix(3, 3))),), bias(3)))
    elif kind == "residual":  # a1 is read by a ReLU and by an Affine
        nodes.append(Affine("a2", ("r1", "a1"), (Dense(matrix(3, 3)), Sparse(sparse.eye_array(3).tocsr())), bias(3)))
    elif kind == "skip":  # the input jumps over a layer
        nodes.append(Affine("a2", (INPUT, "r1"), (Dense(matrix(3, n)), Dense(matrix(3, 3))), bias(3)))
    else:  # "repeated": one node read twice
        nodes.append(Affine("a2", ("r1", "r1"), (Dense(matrix(3, 3)), Dense(matrix(3, 3))), bias(3)))
    nodes.append(Relu("r2", "a2", 3))
    if kind == "residual":
        nodes.append(Affine("out", ("r2", "a2"), (Dense(matrix(2, 3)), Dense(matrix(2, 3))), bias(2)))
    elif kind == "skip":
        nodes += [Affine("a3", ("r2",), (Dense(matrix(2, 3)),), bias(2)), Relu("out", "a3", 2)]
    else:
        nodes.append(Affine("out", ("r2",), (Dense(matrix(2, 3)),), bias(2)))
    return Network(tuple(nodes), "out", (TensorSpec("X", (1, n)),), (TensorSpec("Y", (1, 2)),))


KINDS = ("plain", "residual", "skip", "repeated")


def brute_force(network: Network, box: Box, weights: np.ndarray) -> float:
    """Return the largest ``weights @ f(x)`` by one LP for each activation pattern."""
    best = -np.inf
    for pattern in itertools.product((0.0, 1.0), repeat=network.relu_count):
        phases = iter(pattern)
        values = {INPUT: (np.eye(network.input_size), np.zeros(network.input_size))}
        signs, limits = [], []
        for node in network.nodes:
            if isinstance(node, Affine):
                parts = [(m.to_csr().toarray(), values[s]) for s, m in zip(node.inputs, node.maps, strict=True)]
                values[node.name] = (
                    sum(m @ slope for m, (slope, _) in parts),
                    sum((m @ constant for m, (_, constant) in parts), start=node.bias),
                )
            else:
                slope, constant = values[node.input]
                active = np.array([next(phases) for _ in range(node.size)])
                toward = np.where(active > 0.0, -1.0, 1.0)
                signs.append(toward[:, None] * slope)
                limits.append(-toward * constant)
                values[node.name] = (active[:, None] * slope, active * constant)
        slope, constant = values[network.output]
        answer = linprog(
            -(weights @ slope),
            A_ub=np.vstack(signs),
            b_ub=np.concatenate(limits),
            bounds=np.column_stack([box.lower, box.upper]),
        )
        if answer.status == 0:
            best = max(best, float(weights @ constant - answer.fun))
    return best


def maximized(encoding: Encoding, weights: np.ndarray) -> MilpModel:
    output = encoding.output
    encoding.builder.set_objective(
        output.columns, output.matrix.T @ weights, constant=float(weights @ output.constant), maximize=True
    )
    return encoding.builder.build()


def optimum(model: MilpModel) -> float:
    for name in ("highs", "scip", "gurobi"):
        solver = get_solver(name)
        needs = {"sos1": model.sos1, "indicator": model.indicators}
        if all(rows is None or kind in solver.capabilities.row_kinds for kind, rows in needs.items()):
            if not solver.availability(model).usable:
                continue
            answer = solver.solve(model, SolverParameters(relative_gap=0.0))
            assert answer.termination is Termination.OPTIMAL, answer
            assert answer.primal_bound is not None
            return answer.primal_bound
    pytest.skip("no solver for SOS1 and indicator rows is installed")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", ["interval", "crown"])
def test_the_optimum_is_the_best_of_all_activation_patterns(kind: str, level: str) -> None:
    for seed in range(2):
        generator = np.random.default_rng([seed, KINDS.index(kind)])
        network = random_network(generator, kind)
        center = generator.normal(size=3)
        box = Box(center - 1.0, center + np.array([1.0, 0.5, 0.0]))  # the last input is fixed from above only
        weights = generator.normal(size=2)
        expected = brute_force(network, box, weights)
        bounds = compute_bounds(network, box, level)
        for name in FORMS:
            found = optimum(maximized(encode(network, box, bounds, parse_formulation(name)), weights))
            if parse_formulation(name).exact:
                assert found == pytest.approx(expected, abs=1e-4), (seed, name)
            else:
                assert found >= expected - 1e-6, (seed, name)


@pytest.mark.parametrize("name", FORMS)
@settings(max_examples=12)
@given(
    seed=st.integers(0, 10_000),
    kind=st.sampled_from(KINDS),
    ball=st.booleans(),
    width=st.sampled_from([0.0, 1e-6, 0.3, 5.0]),
)
def test_starts_are_feasible_and_have_the_forward_pass_as_objective(
    name: str, seed: int, kind: str, ball: bool, width: float
) -> None:
    generator = np.random.default_rng(seed)
    network = random_network(generator, kind)
    center = generator.normal(size=3)
    box = Box(center - width, center + width)
    domain = L1Ball(center, max(width, 1e-3), box.lower, box.upper) if ball else box
    encoding = encode(network, domain, compute_bounds(network, domain, "crown"), parse_formulation(name))
    weights = generator.normal(size=2)
    model = maximized(encoding, weights)
    assert model.column_count == encoding.builder.column_count
    for x in domain.sample(generator, 4):
        start = encoding.start(x)
        assert model.violation(start) <= 1e-8
        np.testing.assert_array_equal(start[encoding.inputs], x)
        assert model.objective_value(start) == pytest.approx(float(weights @ network.forward(x)), abs=1e-8)


def test_only_unstable_neurons_get_a_binary_and_inactive_ones_vanish() -> None:
    weights = [[[1.0, 0.0], [1.0, 1.0], [-1.0, 0.0]], [[1.0, 1.0, 1.0]]]
    network = from_weights(weights, [[0.0, 5.0, -5.0], [0.0]])
    box = Box(-np.ones(2), np.ones(2))
    encoding = encode(network, box, compute_bounds(network, box, "interval"), parse_formulation("big-m"))
    columns = encoding.relus["layer1.relu"]
    assert encoding.binary_count == 1
    assert encoding.layers["layer1.relu"].index.tolist() == [0, 1]  # the inactive neuron is not even a row
    assert (columns.binary == VANISHED).tolist() == [False, True]
    names = encoding.builder.build().column_names
    assert "layer1.relu.0" in names
    assert "layer1.relu.2" not in names


def test_a_network_whose_neurons_are_all_inactive_is_a_constant() -> None:
    network = from_weights([[[1.0]], [[3.0], [1.0]]], [[-9.0], [0.5, -0.5]])
    box = Box(np.zeros(1), np.ones(1))
    encoding = encode(network, box, compute_bounds(network, box, "interval"), parse_formulation("big-m"))
    assert encoding.output.columns.size == 0
    assert encoding.output.constant.tolist() == [0.5, -0.5]
    assert optimum(maximized(encoding, np.array([1.0, 0.0]))) == pytest.approx(0.5)


def test_what_does_not_fit_is_refused() -> None:
    network = from_weights([[[1.0, 1.0]], [[1.0]]], [[0.0], [0.0]])
    box = Box(-np.ones(2), np.ones(2))
    bounds = compute_bounds(network, box, "interval")
    form = parse_formulation("big-m")
    with pytest.raises(InputError, match="the domain has 1 inputs and the network 2"):
        encode(network, Box(np.zeros(1), np.ones(1)), bounds, form)
    nothing = PreactivationBounds({}, {}, np.zeros(1), np.ones(1), "interval", network.sha256)
    with pytest.raises(InputError, match=r"the bounds lack 'layer1\.relu'"):
        encode(network, box, nothing, form)
    infinite = PreactivationBounds(
        {"layer1.relu": np.array([-np.inf])}, {"layer1.relu": np.array([1.0])}, np.zeros(1), np.ones(1), "", ""
    )
    with pytest.raises(UnboundedNeuronError, match=r"layer1\.relu\.0 has bounds \[-inf, 1\]; big-m needs finite ones"):
        encode(network, box, infinite, form)


def test_an_affine_that_reads_nothing_is_its_bias() -> None:
    network = Network(
        (Affine("y", (), (), np.array([2.0, -1.0])),), "y", (TensorSpec("X", (1, 1)),), (TensorSpec("Y", (1, 2)),)
    )
    box = Box(np.zeros(1), np.ones(1))

    output = encode(network, box, compute_bounds(network, box), parse_formulation("big-m")).output

    assert output.columns.size == 0
    assert output.constant.tolist() == [2.0, -1.0]
