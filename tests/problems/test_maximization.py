from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from activation_patterns import random_perceptron
from hypothesis import given, settings
from hypothesis import strategies as st
from lying_solver import Liar
from result_schema import validate
from solved_domains import DOMAINS, optimum

from netopt.errors import InvalidOptionError
from netopt.network.build import from_weights
from netopt.network.network import Network
from netopt.problems.maximization import maximize
from netopt.problems.run import Progress
from netopt.solvers.result import Termination
from netopt.specification.box import Box


@pytest.mark.parametrize("kind", sorted(DOMAINS))
@given(seed=st.integers(0, 10**6), minimize=st.booleans())
@settings(max_examples=5)
def test_the_optimum_is_that_of_all_activation_patterns(kind: str, seed: int, minimize: bool) -> None:
    generator = np.random.default_rng(seed)
    perceptron = random_perceptron(generator, [2, 3, 2, 2])
    weights = generator.integers(-4, 5, size=2) / 2.0
    domain, sign = DOMAINS[kind], -1.0 if minimize else 1.0
    truth = optimum(perceptron, weights, kind, minimize=minimize)

    result = maximize(perceptron.network, domain, weights=weights, minimize=minimize, isolate=False, time_limit=60.0)

    assert result.status == "optimal", result.to_json()
    assert result.primal_bound == pytest.approx(truth, abs=1e-5, rel=2e-4)
    assert sign * (result.dual_bound - truth) >= -1e-6 * (1.0 + abs(truth))
    assert result.x is not None
    assert domain.contains(result.x[None], 1e-9)[0]
    assert float(weights @ perceptron.network.forward(result.x)) == pytest.approx(result.primal_bound, abs=1e-12)


def wide_network() -> Network:
    return random_perceptron(np.random.default_rng(0), [24, 60, 60, 60, 2], scale=0.5).network


@pytest.mark.parametrize("isolate", [True, False])
def test_a_limit_returns_the_best_known(isolate: bool) -> None:
    network, box = wide_network(), Box(-np.ones(24), np.ones(24))
    begun = time.monotonic()
    result = maximize(network, box, output=1, time_limit=2.0, isolate=isolate)
    assert time.monotonic() - begun < 3.0
    assert result.status == "timeout"
    assert result.primal_bound is not None
    assert result.dual_bound is not None
    assert result.primal_bound < result.dual_bound
    validate(result)


def test_an_interrupt_returns_the_best_known_and_progress_only_improves() -> None:
    interrupt, seen = threading.Event(), list[Progress]()
    threading.Timer(1.5, interrupt.set).start()
    result = maximize(
        wide_network(),
        Box(-np.ones(24), np.ones(24)),
        output=0,
        minimize=True,
        interrupt=interrupt,
        progress=seen.append,
        isolate=False,
    )
    assert result.status == "feasible"
    assert result.interrupted
    primals = [progress.primal_bound for progress in seen if progress.primal_bound is not None]
    duals = [progress.dual_bound for progress in seen if progress.dual_bound is not None]
    assert primals == sorted(primals, reverse=True)
    assert duals == sorted(duals)
    assert result.primal_bound == primals[-1]
    validate(result)


def test_an_empty_domain_is_infeasible() -> None:
    network = from_weights([np.eye(2)], [np.zeros(2)])
    result = maximize(network, Box(np.ones(2), np.zeros(2)), output=0, isolate=False)
    assert result.status == "infeasible"
    assert result.primal_bound is None
    validate(result)


def test_a_claim_below_a_replayed_point_is_a_contradiction() -> None:
    hidden = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0], [1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]]
    ridge = from_weights([hidden, [[1.0] * 4 + [-1.0] * 4]], [np.zeros(8), [0.0]])  # at most 0, open after CROWN
    result = maximize(
        ridge, Box(-np.ones(2), np.full(2, 0.9)), solver=Liar(Termination.OPTIMAL, -9.0, -9.0), isolate=False
    )
    assert result.status == "feasible"
    assert result.primal_bound == pytest.approx(0.0, abs=1e-3)
    assert any("contradiction" in notice for notice in result.notices)
    validate(result)


@pytest.mark.parametrize("level", ["interval", "lp", "milp"])
def test_every_bound_level_comes_to_the_same_optimum(level: str) -> None:
    network = random_perceptron(np.random.default_rng(4), [3, 6, 5, 1]).network
    box = Box(-np.ones(3), np.ones(3))
    usual = maximize(network, box, isolate=False)
    result = maximize(network, box, bounds=level, isolate=False)
    assert result.status == "optimal"
    assert result.primal_bound == pytest.approx(usual.primal_bound, rel=2e-4, abs=2e-6)


def test_the_relaxation_of_a_large_network_is_solved_first(monkeypatch: pytest.MonkeyPatch) -> None:
    network = random_perceptron(np.random.default_rng(4), [3, 6, 5, 1]).network
    box = Box(-np.ones(3), np.ones(3))
    usual = maximize(network, box, isolate=False)
    monkeypatch.setattr("netopt.problems.maximum_search._SMALL", 0)
    result = maximize(network, box, isolate=False)
    assert "relaxation" not in {stage["name"] for stage in usual.stages}
    relaxation = next(stage for stage in result.stages if stage["name"] == "relaxation")
    assert float(relaxation["dual_bound"]) >= usual.primal_bound  # type: ignore[arg-type]  # a stage holds any number
    assert result.primal_bound == pytest.approx(usual.primal_bound, rel=2e-4, abs=2e-6)


def test_what_cannot_be_used_is_refused_in_one_sentence() -> None:
    network, box = from_weights([np.eye(2)], [np.zeros(2)]), Box(np.zeros(2), np.ones(2))
    for match, options in {
        "2 outputs; give either output": {},
        "not both": {"output": 0, "weights": [1.0, 0.0]},
        "outputs 0 to 1": {"output": 2},
        "2 finite numbers": {"weights": [1.0]},
        "gap is -1": {"output": 0, "gap": -1.0},
    }.items():
        with pytest.raises(InvalidOptionError, match=match):
            maximize(network, box, isolate=False, **options)  # type: ignore[arg-type]
