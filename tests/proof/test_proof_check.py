"""Proofs of real answers hold, and nothing else does: not of other questions, not with other numbers in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bound_cases import NETWORKS, random_network
from followed_search import BELOW_ZERO, Aims
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from netopt.bounds.boxes import BoxBounds
from netopt.bounds.crown import crown_bounds
from netopt.bounds.precision import DOUBLE
from netopt.engines.branch_and_bound.phase_split import PhaseSplit
from netopt.engines.branch_and_bound.search import Problem
from netopt.engines.objective import SlackObjective
from netopt.errors import InputError
from netopt.network.build import from_weights
from netopt.network.network import Network
from netopt.problems.verification import verify
from netopt.proof.check import Check, check_proof
from netopt.proof.log import ProofLog, proof_log, read_log, write_log
from netopt.proof.recorder import ProofRecorder
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.l1_ball import L1Ball
from netopt.specification.polytope import Polytope
from netopt.specification.property import Case, Conjunction, Property


def above(network: Network, domain: Domain, *thresholds: float) -> Property:
    """Return the question whether output k, alone, reaches the k-th threshold."""
    rows = -np.eye(network.output_size)
    disjuncts = tuple(Conjunction(rows[[k]], np.array([-level])) for k, level in enumerate(thresholds))
    return Property((Case(domain, disjuncts),), network.input_size, network.output_size)


def just_above(network: Network, domain: Domain, margin: float) -> Property:
    """Return a question whose answer is no by about `margin` of the outputs' spread, or yes where it is negative."""
    values = network.forward(domain.sample(np.random.default_rng(0), 20_000))
    spread = values.max(axis=0) - values.min(axis=0) + 1e-3
    return above(network, domain, *(values.max(axis=0) + margin * spread).tolist())


def box_of(network: Network, radius: float) -> Box:
    return Box(np.full(network.input_size, -radius), np.full(network.input_size, radius))


def proof_of(network: Network, prop: Property, path: Path, **options: object) -> ProofLog:
    result = verify(network, prop, solver="native", time_limit=60.0, proof=path, **options)  # type: ignore[arg-type]
    assert result.status.value == "unsat"
    return read_log(path)


def bisected(network: Network, prop: Property) -> ProofLog:
    """Prove disjuncts of one row each by halving boxes along their widest inputs."""
    recorder = ProofRecorder()
    rows = np.concatenate([-disjunct.output_matrix for disjunct in prop.cases[0].disjuncts])
    offset = np.concatenate([disjunct.bound for disjunct in prop.cases[0].disjuncts])
    trail, box = recorder.search(0, range(len(rows))), prop.cases[0].domain
    part, lower, upper = trail.whole(), box.lower[None], box.upper[None]
    done = np.zeros((1, len(rows)), dtype=bool)
    while part.size:
        assert part.size < 5000, "the question is too hard for a test"
        owner, every = np.repeat(np.arange(part.size), len(rows)), np.tile(rows, (part.size, 1))
        bound = BoxBounds(network, DOUBLE).over(lower, upper).functions(every, None, owner).bound
        closed = ~done & (bound.reshape(done.shape) + offset < 0.0)
        which, disjunct = np.nonzero(closed)
        trail.close(part[which], disjunct)
        left = ~(done | closed).all(axis=1)
        part, lower, upper, done = part[left], lower[left], upper[left], (done | closed)[left]
        axis, row = (upper - lower).argmax(axis=1), np.arange(part.size)
        middle = (lower[row, axis] + upper[row, axis]) / 2.0
        part = trail.split_axis(part, axis, middle)
        lower, upper, done = np.tile(lower, (2, 1)), np.tile(upper, (2, 1)), np.tile(done, (2, 1))
        upper[row, axis], lower[row + row.size, axis] = middle, middle
    return proof_log(recorder, network, prop)


@pytest.fixture(scope="module")
def by_axes(tmp_path_factory: pytest.TempPathFactory) -> tuple[ProofLog, Network, Property]:
    """A proof by splitting inputs."""
    network = random_network(11, (3, 12, 12, 2), 2.0)
    prop = just_above(network, box_of(network, 1.0), 0.05)
    path = tmp_path_factory.mktemp("proof") / "axes.npz"
    write_log(path, bisected(network, prop))
    return read_log(path), network, prop


@pytest.fixture(scope="module")
def by_phases(tmp_path_factory: pytest.TempPathFactory) -> tuple[ProofLog, Network, Property]:
    """A proof by splitting ReLUs: there are too many inputs to split."""
    network = random_network(12, (24, 16, 16, 2))
    prop = just_above(network, box_of(network, 0.3), 0.55)
    recorder, case = ProofRecorder(), prop.cases[0]
    objectives = tuple(SlackObjective.normalised(disjunct) for disjunct in case.disjuncts)
    problem = Problem(network, case.domain, crown_bounds(network, case.domain), objectives, recorder.search(0, [0, 1]))
    search = PhaseSplit(problem, Aims(np.full(2, BELOW_ZERO)))
    search.advance(None)
    assert search.finished
    return proof_log(recorder, network, prop), network, prop


def test_a_proof_by_splitting_inputs_holds(by_axes: tuple[ProofLog, Network, Property]) -> None:
    log, network, prop = by_axes
    assert (log.forest.variable >= 0).sum() > 5
    assert log.claims == {}
    assert check_proof(log, network, prop) == _valid(check_proof(log, network, prop), disjuncts=2)


def test_a_proof_by_splitting_relus_holds(by_phases: tuple[ProofLog, Network, Property]) -> None:
    log, network, prop = by_phases
    assert (log.forest.variable < 0).sum() > 5
    assert log.claims == {}
    found = check_proof(log, network, prop)
    assert found == _valid(found, disjuncts=2)
    assert found.own_splits == 0


def _valid(found: Check, disjuncts: int) -> Check:
    return replace(found, reason="", trusted=(), disjuncts=disjuncts)


@pytest.mark.parametrize("kind", sorted(NETWORKS))
def test_proofs_of_every_kind_of_network_hold(kind: str) -> None:
    network = NETWORKS[kind]
    box = box_of(network, 0.2)
    highest = network.forward(box.sample(np.random.default_rng(0), 5000)).max(axis=0)
    prop = above(network, box, *(highest + 0.2).tolist())
    found = check_proof(bisected(network, prop), network, prop)
    assert found == _valid(found, disjuncts=network.output_size)


@pytest.mark.parametrize(
    "domain",
    [
        L1Ball(np.zeros(4), 0.7, np.full(4, -1.0), np.full(4, 1.0)),
        Polytope(np.ones((1, 4)), [-np.inf], [0.5], np.full(4, -0.5), np.full(4, 0.5)),
    ],
)
def test_proofs_over_other_domains_hold(domain: Domain, tmp_path: Path) -> None:
    network = NETWORKS["perceptron"]
    prop = just_above(network, domain, 1.5)
    found = check_proof(proof_of(network, prop, tmp_path / "p.npz"), network, prop)
    assert found == _valid(found, disjuncts=network.output_size)


def test_an_empty_case_needs_no_proof(tmp_path: Path) -> None:
    network = NETWORKS["perceptron"]
    empty = Box(np.ones(4), np.zeros(4))
    prop = above(network, empty, -1e9, -1e9)
    found = check_proof(proof_of(network, prop, tmp_path / "p.npz"), network, prop)
    assert found == _valid(found, disjuncts=2)


def test_what_a_solver_claims_is_named() -> None:
    network, prop = _identity(), _at_least(2.0)
    recorder = ProofRecorder()
    recorder.closed_by_claim(0, 0, "a solver")
    found = check_proof(proof_log(recorder, network, prop), network, prop)
    assert found.valid
    assert found.trusted == ("case 1, disjunct 1: a solver",)


def test_what_a_milp_solver_proves_is_not_lost(tmp_path: Path) -> None:
    network = random_network(11, (3, 12, 12, 2), 2.0)
    prop = just_above(network, box_of(network, 1.0), 0.05)
    result = verify(network, prop, solver="highs", time_limit=60.0, proof=tmp_path / "p.npz")
    log = read_log(tmp_path / "p.npz")
    found = check_proof(log, network, prop)
    assert result.status.value == "unsat"
    assert found.valid
    assert len(found.trusted) == len(log.claims) >= 1
    assert "rest on claims that cannot be checked" in " ".join(result.notices)


def test_pre_activation_bounds_are_believed_only_where_they_are_needed() -> None:
    network, prop = _absolute(), _at_least(0.75)  # |x| on [-1, 1] is not below 0.75
    trail_of = {}
    for needed, level in ((False, 1.5), (True, 0.75)):
        recorder = ProofRecorder()
        recorder.preactivation_bounds(0, "milp", {"layer1.relu": (np.full(2, -0.5), np.full(2, 0.25))})
        trail = recorder.search(0, [0])
        trail.close(trail.whole(), np.zeros(1, dtype=np.int64))
        prop = _at_least(level)
        trail_of[needed] = check_proof(proof_log(recorder, network, prop), network, prop)
    assert all(found.valid for found in trail_of.values())
    assert trail_of[False].trusted == ()
    assert trail_of[True].trusted == ("case 1: pre-activation bounds of level milp",)


def _identity() -> Network:
    return from_weights([[[1.0]]], [[0.0]])


def _absolute() -> Network:
    return from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])


def _at_least(level: float) -> Property:
    box = Box(np.array([-1.0]), np.array([1.0]))
    return Property((Case(box, (Conjunction(np.array([[-1.0]]), np.array([-level])),)),), 1, 1)


def test_exact_arithmetic_decides_what_rounding_outward_does_not() -> None:
    network = _absolute()
    recorder = ProofRecorder()
    recorder.closed_by_bounds(0, [0])
    just, met = _at_least(float(np.nextafter(1.0, 2.0))), _at_least(1.0)
    found = check_proof(proof_log(recorder, network, just), network, just)
    assert found.valid
    assert found.exact >= 1
    assert not check_proof(proof_log(recorder, network, met), network, met).valid


def test_a_proof_of_another_question_is_refused(by_axes: tuple[ProofLog, Network, Property]) -> None:
    log, network, prop = by_axes
    other = network.with_nodes(
        tuple(replace(n, bias=n.bias + 1e-9) if n.name == network.output else n for n in network.nodes)
    )
    assert "it is about the network" in check_proof(log, other, prop).reason
    disjuncts = prop.cases[0].disjuncts
    lower = replace(disjuncts[0], bound=disjuncts[0].bound + 1e-9)
    asked = replace(prop, cases=(replace(prop.cases[0], disjuncts=(lower, *disjuncts[1:])),))
    assert check_proof(log, network, asked).reason == "it is about another property"
    wider = replace(prop.cases[0], domain=box_of(network, 1.0001))
    assert check_proof(log, network, replace(prop, cases=(wider,))).reason == "it is about another property"


def _forest(log: ProofLog, **changes: np.ndarray) -> ProofLog:
    return replace(log, forest=replace(log.forest, **changes))


def _leaves(log: ProofLog, **changes: np.ndarray) -> ProofLog:
    return replace(log, leaves=replace(log.leaves, **changes))


def _without_last_leaf(log: ProofLog) -> ProofLog:
    kept = np.arange(log.leaves.node.size) < log.leaves.node.size - 1
    names = ("node", "disjunct", "weights_row", "slope_row", "multiplier_row")
    return _leaves(log, **{name: getattr(log.leaves, name)[kept] for name in names})


#: What somebody may do to a proof by splitting ReLUs.
TAMPERING: dict[str, Callable[[ProofLog], ProofLog]] = {
    "the tree is cut off": lambda log: _forest(
        log, **{name: getattr(log.forest, name)[:1] for name in ("parent", "variable", "value")}
    ),
    "splits are of other neurons": lambda log: _forest(log, variable=np.full_like(log.forest.variable, -1)),
    "a leaf is missing": _without_last_leaf,
    "multipliers are zero": lambda log: _leaves(log, multipliers=np.zeros_like(log.leaves.multipliers)),
    "multipliers are large": lambda log: _leaves(log, multipliers=log.leaves.multipliers * 1e3),
    "a multiplier is negative": lambda log: _leaves(log, multipliers=log.leaves.multipliers - 1.0),
    "slopes are others": lambda log: _leaves(log, slopes=1.0 - log.leaves.slopes),
    "a slope is too large": lambda log: _leaves(log, slopes=log.leaves.slopes + 1.0),
    "a slope is not a number": lambda log: _leaves(log, slopes=log.leaves.slopes * np.nan),
    "weights are negative": lambda log: _leaves(log, weights=-log.leaves.weights),
    "children come before parents": lambda log: _forest(log, parent=log.forest.parent[::-1].copy()),
    "splits are of neurons that are not there": lambda log: _forest(log, variable=log.forest.variable - 1000),
    "leaves are of parts that are not there": lambda log: _leaves(log, node=log.leaves.node + 10**6),
}


@pytest.mark.parametrize("change", sorted(TAMPERING))
def test_a_changed_proof_is_refused(change: str, by_phases: tuple[ProofLog, Network, Property]) -> None:
    log, network, prop = by_phases
    assert not check_proof(TAMPERING[change](log), network, prop).valid


def test_moved_splits_of_inputs_do_not_hide_a_part(by_axes: tuple[ProofLog, Network, Property]) -> None:
    log, network, prop = by_axes
    far = _forest(log, value=np.full_like(log.forest.value, 1e6))  # all splits then leave one part as it is
    found = check_proof(far, network, prop)
    assert not found.valid or found.own_splits > log.forest.parent.size // 2
    assert check_proof(log, network, prop).own_splits == 0


def test_any_other_byte_is_noticed(by_axes: tuple[ProofLog, Network, Property], tmp_path: Path) -> None:
    log, _, _ = by_axes
    path = tmp_path / "p.npz"
    write_log(path, log)
    with np.load(path, allow_pickle=False) as data:
        content = dict(data)
    content["tree/value"] = np.nextafter(content["tree/value"], np.inf)
    with path.open("wb") as file:
        np.savez_compressed(file, **content)
    with pytest.raises(InputError, match="content is not what was written"):
        read_log(path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    np.savez(path, a=np.zeros(3))
    with pytest.raises(InputError, match="does not hold a proof written by netopt"):
        read_log(path)
    path.write_text("unsat")
    with pytest.raises(InputError, match="does not hold a proof written by netopt"):
        read_log(path)


@given(st.integers(0, 10**6))
def test_nothing_proves_what_is_false(seed: int) -> None:
    """Any tree with any numbers in it, over a question that a sampled point answers with yes."""
    generator = np.random.default_rng(seed)
    network = random_network(seed, (3, 5, 4, 2), float(10.0 ** generator.integers(-3, 4)))
    box = box_of(network, 1.0)
    values = network.forward(box.sample(generator, 200))
    prop = above(network, box, float(np.nextafter(values[:, 0].max(), -np.inf)), float(values[:, 1].max()) + 1e9)
    recorder = ProofRecorder()
    trail = recorder.search(0, [0])
    parts = trail.whole()
    for _ in range(int(generator.integers(0, 4))):
        if generator.random() < 0.5:
            axis = generator.integers(0, 3, size=parts.size)
            parts = trail.split_axis(parts, axis, generator.uniform(-1.5, 1.5, size=parts.size))
        else:
            parts = trail.split_phase(parts, generator.integers(0, 9, size=parts.size))
    shape = parts.size, 9
    trail.close(
        parts,
        np.zeros(parts.size, dtype=np.int64),
        weights=generator.exponential(size=(parts.size, 1)),
        slope=generator.random(shape),
        multiplier=generator.exponential(size=shape) * float(10.0 ** generator.integers(-3, 4)),
        neurons=np.arange(9),
    )
    recorder.closed_by_bounds(0, [1])
    found = check_proof(proof_log(recorder, network, prop), network, prop)
    assert found.reason.startswith("case 1, disjunct 1 is not shown closed")


@given(st.integers(0, 10**6))
def test_proofs_of_conjunctions_that_mention_inputs_hold(seed: int) -> None:
    """Two rows that exclude each other, proved by their sum."""
    generator = np.random.default_rng(seed)
    network = random_network(seed, (2, 5, 1))
    row, side = generator.normal(size=(1, 2)), float(generator.normal())
    inputs = sparse.csr_array(np.concatenate([row, -row]))
    conjunction = Conjunction(np.array([[1.0], [-1.0]]), np.array([side, -side - 0.01]), inputs)
    prop = Property((Case(box_of(network, 1.0), (conjunction,)),), 2, 1)
    recorder = ProofRecorder()
    trail = recorder.search(0, [0])
    trail.close(trail.whole(), np.zeros(1, dtype=np.int64), weights=np.ones((1, 2)))
    assert check_proof(proof_log(recorder, network, prop), network, prop).valid
