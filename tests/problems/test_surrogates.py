"""Whatever is pruned, what is claimed of the dense network is true."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from activation_patterns import Perceptron, largest_slack, random_perceptron
from hypothesis import given, settings
from hypothesis import strategies as st
from lone_surrogates import only_surrogates
from result_schema import validate
from solved_domains import DOMAINS, LOWER, UPPER, optimum

from netopt.errors import InputError
from netopt.network.build import from_weights
from netopt.network.network import Network
from netopt.problems.maximization import maximize
from netopt.problems.results import MaximizationResult
from netopt.problems.surrogate import sparse_model as sparse_model_module
from netopt.problems.surrogate.options import Pruning, Surrogate
from netopt.problems.verification import verify
from netopt.pruning.prune import Pruned, prune
from netopt.specification.box import Box
from netopt.specification.property import Case, Conjunction, Property

LADDERS = ("ladder", "ladder:magnitude:0.9,0.5", "relaxed", "ladder:random:0.8", "relaxed:0.3")
SPARSE = ("domain-aware:0.8", "magnitude:0.5", "random:0.7", "neuron-norm:0.5", "lossless")


def check_maximum(result: MaximizationResult, network: Network, kind: str, weights: np.ndarray, truth: float) -> None:
    """Check that the bounds are those of the dense network."""
    sign = -1.0 if result.minimize else 1.0
    validate(result)
    assert result.x is not None
    assert DOMAINS[kind].contains(result.x[None], 1e-9)[0]
    assert float(weights @ network.forward(result.x)) == pytest.approx(result.primal_bound, abs=1e-12)
    assert sign * (truth - result.primal_bound) >= -1e-6 * (1.0 + abs(truth))
    if result.dual_bound is not None:
        assert sign * (result.dual_bound - truth) >= -1e-6 * (1.0 + abs(truth))
    if result.status == "optimal":
        assert result.primal_bound == pytest.approx(truth, abs=1e-5, rel=2e-4)


@pytest.mark.parametrize("kind", sorted(DOMAINS))
@given(seed=st.integers(0, 10**6), minimize=st.booleans())
@settings(max_examples=3)
def test_the_optimum_of_a_ladder_is_that_of_all_activation_patterns(kind: str, seed: int, minimize: bool) -> None:
    generator = np.random.default_rng(seed)
    perceptron = random_perceptron(generator, [2, 3, 2, 2])
    weights = generator.integers(-4, 5, size=2) / 2.0
    truth = optimum(perceptron, weights, kind, minimize=minimize)
    prune = LADDERS[seed % len(LADDERS)]
    with pytest.MonkeyPatch.context() as patch:
        if seed % 2:
            only_surrogates(patch)
        result = maximize(
            perceptron.network,
            DOMAINS[kind],
            weights=weights,
            minimize=minimize,
            isolate=False,
            bounds="interval",
            time_limit=60.0,
            prune=prune,
        )
    assert result.status == "optimal", result.to_json()
    check_maximum(result, perceptron.network, kind, weights, truth)


@pytest.mark.parametrize("prune", SPARSE)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=4)
def test_a_pruned_network_alone_claims_nothing_that_is_not_proved_of_the_dense_one(prune: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    perceptron = random_perceptron(generator, [2, 3, 2, 2])
    weights = generator.integers(-4, 5, size=2) / 2.0
    kind = sorted(DOMAINS)[seed % len(DOMAINS)]
    with pytest.MonkeyPatch.context() as patch:
        only_surrogates(patch)
        result = maximize(
            perceptron.network,
            DOMAINS[kind],
            weights=weights,
            isolate=False,
            bounds="interval",
            time_limit=60.0,
            prune=prune,
        )
    check_maximum(result, perceptron.network, kind, weights, optimum(perceptron, weights, kind))
    assert set(result.proved_by) <= {"interval"}


def joined(generator: np.random.Generator) -> Perceptron:
    """Return a network whose outputs depend on its inputs."""
    while True:
        perceptron = random_perceptron(generator, [2, 3, 2, 2])
        if np.linalg.multi_dot([np.abs(weight) for weight in perceptron.weights[::-1]]).any(axis=1).all():
            return perceptron


def random_property(seed: int) -> tuple[Perceptron, Property, float]:
    """Return a network, two disjuncts over a box and their true largest slack, mostly close to zero."""
    generator = np.random.default_rng(seed)
    perceptron = joined(generator)
    matrices = [generator.integers(-4, 5, size=(1, 2)) / 2.0 + np.array([[0.25, 0.0]]) for _ in range(2)]
    norms = [np.linalg.norm(matrix, axis=1) for matrix in matrices]
    slacks = [
        largest_slack(perceptron, Conjunction(matrix, np.zeros(1)), norm, lower=LOWER, upper=UPPER)
        for matrix, norm in zip(matrices, norms, strict=True)
    ]
    truth = (-0.05, 0.05, -1.0, -0.02)[seed % 4]
    disjuncts = tuple(
        Conjunction(matrix, norm * (truth - max(slacks))) for matrix, norm in zip(matrices, norms, strict=True)
    )
    return perceptron, Property((Case(Box(LOWER, UPPER), disjuncts),), 2, 2), truth


def test_verdicts_of_ladders_are_those_of_all_activation_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    only_surrogates(monkeypatch)
    statuses = set()
    for seed in range(8):
        perceptron, prop, truth = random_property(seed)
        result = verify(
            perceptron.network,
            prop,
            isolate=False,
            bounds="interval",
            time_limit=60.0,
            prune=LADDERS[seed % len(LADDERS)],
        )
        validate(result)
        assert result.status == ("sat" if truth > 0.0 else "unsat"), result.to_json()
        statuses.add(result.status.value)
    assert statuses == {"sat", "unsat"}


def test_a_pruned_network_alone_never_says_unsat_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    only_surrogates(monkeypatch)
    statuses = set()
    for seed in range(10):
        perceptron, prop, truth = random_property(seed)
        prune = SPARSE[seed % len(SPARSE)]
        result = verify(perceptron.network, prop, isolate=False, bounds="interval", time_limit=60.0, prune=prune)
        validate(result)
        assert set(result.proved_by) <= {"interval"}, "only bounds of the dense network may prove"
        if result.status == "sat":
            assert truth > 0.0
        elif result.status == "unsat":
            assert truth < 0.0
        else:
            assert any("proves nothing" in notice for notice in result.notices)
        statuses.add(result.status.value)
    assert {"sat", "unknown"} <= statuses


def lie(network: Network, method: str, rate: float, **options: Any) -> Pruned:
    """Return a network that has nothing to do with the given one but its shape."""
    honest = prune(network, method, rate, **options)
    nodes = tuple(
        replace(node, maps=tuple(m.scale_rows(np.full(m.out_size, -3.0)) for m in node.maps), bias=node.bias + 5.0)
        if hasattr(node, "maps")
        else node
        for node in honest.network.nodes
    )
    return replace(honest, network=honest.network.with_nodes(nodes))


def test_a_surrogate_that_lies_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    only_surrogates(monkeypatch)
    monkeypatch.setattr(sparse_model_module, "prune", lie)
    for seed in range(4):
        generator = np.random.default_rng(seed)
        perceptron = joined(generator)
        weights = generator.integers(-4, 5, size=2) / 2.0
        truth = optimum(perceptron, weights, "box")
        result = maximize(
            perceptron.network, DOMAINS["box"], weights=weights, isolate=False, time_limit=60.0, prune="ladder"
        )
        assert result.status == "optimal"
        check_maximum(result, perceptron.network, "box", weights, truth)
        perceptron, prop, truth = random_property(seed)
        assert verify(perceptron.network, prop, isolate=False, prune="magnitude:0.5").status in ("sat", "unknown") or (
            truth < 0.0
        )


@pytest.mark.parametrize("region_model", [False, True])
def test_no_good_cuts_and_region_models_find_other_points_and_prove_nothing(
    region_model: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_surrogates(monkeypatch)
    solves, regions = 0, 0
    for seed in range(4):
        generator = np.random.default_rng(seed)
        perceptron = joined(generator)
        weights = generator.integers(-4, 5, size=2) / 2.0
        truth = optimum(perceptron, weights, "box")
        surrogate = Surrogate(
            rungs=(Pruning("random", 0.3),), no_good=not region_model, region_model=region_model, exact=False
        )
        result = maximize(
            perceptron.network,
            DOMAINS["box"],
            weights=weights,
            isolate=False,
            bounds="interval",
            time_limit=60.0,
            prune=surrogate,
        )
        check_maximum(result, perceptron.network, "box", weights, truth)
        for stage in result.stages:
            solves = max(solves, stage.get("solves", 0))
            regions += stage["name"] == "region model"
            if stage["name"] == "region model" and stage["region_value"] is not None:
                assert stage["region_value"] <= truth + 1e-5
    assert region_model or solves > 1
    assert (regions > 0) is region_model


def test_a_network_that_is_constant_cannot_be_pruned_and_needs_not() -> None:
    network = from_weights([np.eye(2), np.zeros((2, 2)), np.eye(2)], [np.zeros(2), np.ones(2), np.zeros(2)])
    prop = Property(
        (Case(Box(LOWER, UPPER), (Conjunction(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([1, -1])),)),), 2, 2
    )
    with pytest.raises(InputError, match="constant"):
        prune(network, "magnitude", 0.5)
    assert verify(network, prop, isolate=False, prune="ladder").status == "sat"
