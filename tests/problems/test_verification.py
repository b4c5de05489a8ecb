from __future__ import annotations

import numpy as np
import pytest
from activation_patterns import Perceptron, largest_slack, random_perceptron
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from netopt.engines.objective import SlackObjective
from netopt.problems.hunting import _BUDGETS, Effort, Hunt
from netopt.problems.verification import verify
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.integer import IntegerPoints
from netopt.specification.l1_ball import L1Ball
from netopt.specification.polytope import Polytope
from netopt.specification.property import Case, Conjunction, Property

KINDS = ("box", "point", "l1", "integer", "polytope")


def random_domain(generator: np.random.Generator, kind: str) -> tuple[Domain, dict[str, object]]:
    """Return a domain of two inputs and the arguments that describe it to the brute force."""
    lower = generator.integers(-4, 3, size=2) / 2.0
    upper = lower + (0.0 if kind == "point" else generator.integers(1, 5, size=2) / 2.0)
    described: dict[str, object] = {"lower": lower, "upper": upper}
    if kind == "l1":
        center, radius = (lower + upper) / 2.0, 0.75
        return L1Ball(center, radius, lower, upper), described | {"l1": (center, radius)}
    if kind == "integer":
        mask = np.array([True, False])
        return IntegerPoints(Box(lower, upper), mask), described | {"integral": mask}
    if kind == "polytope":
        rows = np.array([[1.0, 1.0]])
        bound = np.array([(lower + upper).sum() / 2.0])
        domain = Polytope(sparse.csr_array(rows), np.array([-np.inf]), bound, lower, upper)
        return domain, described | {"rows": (rows, bound)}
    return Box(lower, upper), described


def random_conjunction(generator: np.random.Generator, shift: float) -> Conjunction:
    rows = int(generator.integers(1, 4))
    mixed = sparse.csr_array(generator.integers(-2, 3, size=(rows, 2)) / 2.0) if generator.random() < 0.4 else None
    matrix = generator.integers(-4, 5, size=(rows, 2)) / 2.0
    return Conjunction(matrix, generator.integers(-4, 5, size=rows) / 2.0 + shift, mixed)


def random_problem(seed: int, kind: str) -> tuple[Perceptron, Property, float]:
    """Return weights, a property of one to three disjuncts in one or two cases, and its true largest slack."""
    generator = np.random.default_rng(seed)
    perceptron = random_perceptron(generator, [2, 3, 2, 2])
    shift = float(generator.choice([-3.0, -1.0, 0.0]))
    cases, best = [], -np.inf
    for _ in range(int(generator.integers(1, 3))):
        domain, described = random_domain(generator, kind)
        disjuncts = tuple(random_conjunction(generator, shift) for _ in range(int(generator.integers(1, 3))))
        cases.append(Case(domain, disjuncts))
        for conjunction in disjuncts:
            norm = SlackObjective.normalised(conjunction).norm
            best = max(best, largest_slack(perceptron, conjunction, norm, **described))  # type: ignore[arg-type]
    return perceptron, Property(tuple(cases), 2, 2), best


def check(perceptron: Perceptron, prop: Property, truth: float, **options: object) -> str:
    """Verify and compare with the truth; return the status."""
    network = perceptron.network
    result = verify(network, prop, isolate=False, time_limit=60.0, **options)  # type: ignore[arg-type]
    assert result.status in ("sat", "unsat", "unknown"), result.to_json()
    if result.status == "sat":
        assert result.witness is not None
        x = result.witness.x[None]
        assert (x == x.astype(np.float32)).all()
        assert prop.satisfied(x, network.forward(x))[0]
        assert truth >= -1e-7
        assert result.primal_bound is not None
        assert 0.0 <= result.primal_bound <= truth + 1e-6
    if result.status == "unsat":
        assert truth <= 1e-7
        assert result.dual_bound is not None
        assert result.dual_bound >= truth - 1e-6
        assert result.margin == -result.dual_bound
    if abs(truth) > 1e-4:
        assert result.status == ("sat" if truth > 0.0 else "unsat"), result.to_json()
    return result.status


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=6)
def test_the_verdict_is_that_of_all_activation_patterns(kind: str, seed: int) -> None:
    check(*random_problem(seed, kind))


@pytest.mark.parametrize("kind", KINDS)
def test_the_native_engine_alone_comes_to_the_same_verdict(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hunt, "attack", lambda *_: None)
    statuses = set()
    for seed in range(6):
        perceptron, prop, truth = random_problem(seed, kind)
        result = verify(perceptron.network, prop, solver="native", isolate=False, time_limit=5.0)
        statuses.add(result.status.value)
        assert not any("solver" in stage for stage in result.stages)
        if result.status == "sat":
            assert truth >= -1e-7
        if result.status == "unsat":
            assert truth <= 1e-7
            assert result.dual_bound is not None
            assert result.dual_bound >= truth - 1e-9
    assert "unsat" in statuses


@pytest.mark.parametrize("kind", ["box", "polytope"])
def test_rounds_of_the_long_attack_and_the_search_take_turns(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netopt.problems.native._FIRST_SECONDS", 0.0)  # slices end before anything is bounded
    monkeypatch.setitem(_BUDGETS, Effort.SHORT, (0, 0.0, 0.0))
    turns = 0
    for seed in range(8):
        perceptron, prop, truth = random_problem(seed, kind)
        check(perceptron, prop, truth, solver="native")
        stages = verify(perceptron.network, prop, solver="native", isolate=False, time_limit=5.0).stages
        steps = [stage.get("effort", stage["name"]) for stage in stages]
        if "round" in steps and truth < 0.0:
            assert steps[steps.index("round") - 1 :] == [*["branch", "round"] * 3, "round", "branch"]
            turns += 1
    assert turns > 0


def test_the_solver_alone_comes_to_the_same_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hunt, "attack", lambda *_: None)
    statuses = {
        check(*random_problem(seed, kind), bounds="interval", solver="highs") for kind in KINDS for seed in range(3)
    }
    assert {"sat", "unsat"} <= statuses


@pytest.mark.parametrize("formulation", ["partition:2", "multiple-choice", "triangle"])
def test_every_linear_formulation_comes_to_no_other_verdict(formulation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hunt, "attack", lambda *_: None)
    for seed in (1, 2, 3):
        perceptron, prop, truth = random_problem(seed, "box")
        if formulation == "triangle":  # a relaxation decides less, never otherwise
            result = verify(perceptron.network, prop, solver="highs", formulation=formulation, isolate=False)
            assert result.status in ("unknown", "sat" if truth >= 0.0 else "unsat")
        else:
            check(perceptron, prop, truth, solver="highs", formulation=formulation)


def test_a_second_solver_confirms_a_proof() -> None:
    pytest.importorskip("pyscipopt")
    perceptron, prop, truth = unsat_problem()
    result = verify(perceptron.network, prop, confirm="scip", isolate=False)
    assert truth < -1e-3
    assert result.status == "unsat"
    assert result.confirmed_by == "scip"
    assert any(stage["name"] == "confirm" for stage in result.stages)


def unsat_problem() -> tuple[Perceptron, Property, float]:
    """Return a problem whose answer is unsat."""
    for seed in range(100):
        perceptron, prop, truth = random_problem(seed, "box")
        if -1.0 < truth < -1e-3:
            return perceptron, prop, truth
    raise AssertionError("no such problem among the seeds")
