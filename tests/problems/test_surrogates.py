"""Whatever is pruned, what is claimed of the dense network is true."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from activation_patterns import Perceptron, largest_slack, random_perceptron
from hypothesis import given, settings
from hypothesis import strategies as st
from result_schema import validate
from solved_domains import DOMAINS, LOWER, UPPER, optimum

from netopt.errors import InputError, InvalidOptionError
from netopt.network.build import from_weights
from netopt.network.network import Network
from netopt.problems.hunting import Hunt
from netopt.problems.maximization import maximize
from netopt.problems.maximum_search import MaximumSearch
from netopt.problems.results import MaximizationResult
from netopt.problems.settings import Settings
from netopt.problems.surrogate import ladder as ladder_module
from netopt.problems.surrogate import portfolio as portfolio_module
from netopt.problems.surrogate import sparse_model as sparse_model_module
from netopt.problems.surrogate.options import Pruning, RelaxedSurrogate, Surrogate, parse_surrogate
from netopt.problems.verification import verify
from netopt.pruning.prune import Pruned, prune
from netopt.specification.box import Box
from netopt.specification.property import Case, Conjunction, Property

LADDERS = ("ladder", "ladder:magnitude:0.9,0.5", "relaxed", "ladder:random:0.8", "relaxed:0.3")
SPARSE = ("domain-aware:0.8", "magnitude:0.5", "random:0.7", "neuron-norm:0.5", "lossless")


def only_surrogates(patch: pytest.MonkeyPatch) -> None:
    """Leave finding points to the pruned networks and the solver."""
    patch.setattr(Hunt, "attack", lambda *_: None)
    patch.setattr(Settings, "native", False)
    patch.setattr(MaximumSearch, "_climb", lambda *_args, **_options: None)
    patch.setattr(MaximumSearch, "_sample", lambda self, bracket, _: bracket.offer(self.domain.center[None], "sample"))
    patch.setattr(portfolio_module, "portfolio", lambda *_args, **_options: None)


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


def test_no_good_cuts_need_binaries() -> None:
    perceptron = random_perceptron(np.random.default_rng(0), [2, 6, 4, 1])
    surrogate = Surrogate(rungs=(Pruning("magnitude", 0.0),), no_good=True)
    with pytest.raises(InvalidOptionError, match="binaries"):
        maximize(
            perceptron.network,
            Box(LOWER, UPPER),
            isolate=False,
            formulation="triangle",
            bounds="interval",
            prune=surrogate,
        )


def wide_network() -> Network:
    return random_perceptron(np.random.default_rng(0), [24, 60, 60, 60, 2], scale=0.5).network


@pytest.mark.parametrize(("prune", "isolate"), [("ladder", True), ("magnitude:0.3", False), ("ladder", False)])
def test_a_limit_returns_the_best_known(prune: str, isolate: bool) -> None:
    network, box = wide_network(), Box(-np.ones(24), np.ones(24))
    result = maximize(network, box, output=1, time_limit=3.0, isolate=isolate, prune=prune)
    assert result.status == "timeout"
    assert result.primal_bound is not None
    assert result.dual_bound is not None
    assert result.primal_bound < result.dual_bound
    assert result.origin
    validate(result)


def test_an_interrupt_returns_the_best_known() -> None:
    interrupt, seen = threading.Event(), list[float]()

    def heard(progress: Any) -> None:
        if progress.primal_bound is not None:
            seen.append(progress.primal_bound)
        if progress.stage == "surrogate":
            interrupt.set()

    result = maximize(
        wide_network(),
        Box(-np.ones(24), np.ones(24)),
        output=0,
        interrupt=interrupt,
        progress=heard,
        isolate=False,
        prune="ladder",
    )
    assert result.interrupted
    assert result.status == "feasible"
    assert seen == sorted(seen)
    assert result.primal_bound is not None
    assert result.primal_bound >= seen[-1]


def test_stages_tell_sparse_and_dense_figures_apart() -> None:
    network, box = wide_network(), Box(np.full(24, -0.1), np.full(24, 0.1))
    result = maximize(network, box, output=0, minimize=True, time_limit=8.0, isolate=False, prune="magnitude:0.9")
    stage = next(stage for stage in result.stages if stage["name"] == "surrogate")
    assert stage["pruning"] == "magnitude:0.9"
    assert stage["removed"] == pytest.approx(0.9, abs=0.01)
    assert stage["weights"] < 0.11 * network.parameters
    assert stage["binaries"] <= stage["unstable_relus"] <= network.relu_count
    assert stage["sparse_bound"] <= stage["sparse_value"] + 1e-6  # of a minimum
    assert stage["primal_bound"] <= stage["dense_value"] + 1e-9
    assert stage["primal_bound"] >= result.primal_bound


def test_a_rung_that_brings_nothing_gives_its_time_back(monkeypatch: pytest.MonkeyPatch) -> None:
    only_surrogates(monkeypatch)
    monkeypatch.setattr(ladder_module, "PATIENCE", 0.1)
    monkeypatch.setattr(ladder_module, "STALL_SHARE", 0.0)
    network, box = wide_network(), Box(-np.ones(24), np.ones(24))
    result = maximize(network, box, output=1, time_limit=3.0, isolate=False, prune="ladder:magnitude:0.5")
    stage = next(stage for stage in result.stages if stage["name"] == "surrogate")
    assert stage["stalled"] or stage["incumbents"] == 0


@pytest.mark.parametrize(
    ("text", "rungs", "exact"),
    [
        ("domain-aware:0.8", ["domain-aware:0.8"], False),
        ("lossless", ["lossless"], False),
        ("ladder", ["domain-aware:0.95", "domain-aware:0.9", "domain-aware:0.8", "domain-aware:0.5"], True),
        ("ladder:0.5,0.9", ["domain-aware:0.9", "domain-aware:0.5"], True),
        ("ladder:magnitude:0.9,0", ["magnitude:0.9"], True),
    ],
)
def test_texts_name_surrogates(text: str, rungs: list[str], exact: bool) -> None:
    surrogate = parse_surrogate(text)
    assert isinstance(surrogate, Surrogate)
    assert [pruning.label for pruning in surrogate.rungs] == rungs
    assert surrogate.exact is exact


def test_texts_name_relaxed_surrogates() -> None:
    assert parse_surrogate("relaxed") == RelaxedSurrogate(None)
    assert parse_surrogate("relaxed:0.3") == RelaxedSurrogate(0.3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("magnitude:1", r"\[0, 1\)"),
        ("magnitude:-0.1", r"\[0, 1\)"),
        ("magnitude:nan", r"\[0, 1\)"),
        ("magnitude", "METHOD:RATE"),
        ("best:0.5", "unknown"),
        ("ladder:", "not a rate"),
        ("ladder:0.9,x", "not a rate"),
        ("ladder:1.5", r"\[0, 1\)"),
        ("ladder:best:0.5", "unknown"),
        ("ladder:0", "no pruned network"),
        ("relaxed:1", r"\[0, 1\)"),
        ("relaxed:", "not a rate"),
    ],
)
def test_other_texts_are_refused(text: str, words: str) -> None:
    network = from_weights([np.eye(1)], [np.zeros(1)])
    with pytest.raises(InvalidOptionError, match=words):
        maximize(network, Box(np.zeros(1), np.ones(1)), isolate=False, prune=text)


def test_a_network_that_is_constant_cannot_be_pruned_and_needs_not() -> None:
    network = from_weights([np.eye(2), np.zeros((2, 2)), np.eye(2)], [np.zeros(2), np.ones(2), np.zeros(2)])
    prop = Property(
        (Case(Box(LOWER, UPPER), (Conjunction(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([1, -1])),)),), 2, 2
    )
    with pytest.raises(InputError, match="constant"):
        prune(network, "magnitude", 0.5)
    assert verify(network, prop, isolate=False, prune="ladder").status == "sat"
