"""Checks a proof against the network and the property it is about, with arithmetic and code of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netopt.arrays import BoolArray, IntArray
from netopt.errors import InputError
from netopt.network.network import Network
from netopt.proof.digest import property_digest
from netopt.proof.evaluate import Evaluator
from netopt.proof.follow import MOST_INPUTS, Effort, Follower
from netopt.proof.leaf_hints import LeafHints
from netopt.proof.log import ProofLog, check_shapes
from netopt.proof.questions import Questions
from netopt.proof.work import Work
from netopt.specification.box import Box
from netopt.specification.property import Property

#: Splits that the checker may add to any proof, however short; for each of the log's it may add one more.
_LEAST_SPLITS = 16


@dataclass(frozen=True, slots=True)
class Check:
    """What a check found.

    Attributes
    ----------
    reason : why the proof does not hold; empty where it does.
    trusted : what it rests on that cannot be checked; empty where it stands by itself.
    disjuncts : number of disjuncts shown to be unsatisfiable.
    parts : parts that were bounded.
    own_splits, fixed, exact : see `netopt.proof.follow.Effort`.
    """

    reason: str
    trusted: tuple[str, ...]
    disjuncts: int
    parts: int
    own_splits: int
    fixed: int
    exact: int

    @property
    def valid(self) -> bool:
        """Whether every step that can be checked is right."""
        return not self.reason


def check_proof(log: ProofLog, network: Network, prop: Property) -> Check:
    """Check that a proof shows every disjunct of a property to be unsatisfiable.

    Parameters
    ----------
    log : from `netopt.proof.log.read_log`.

    Returns
    -------
    What holds is proved for the network in exact arithmetic on its float64 weights. Numbers in the log are taken as
    hints: a wrong one can make a proof fail, never hold.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.network.build import from_weights
    >>> from netopt.proof.check import check_proof
    >>> from netopt.proof.log import proof_log
    >>> from netopt.proof.recorder import ProofRecorder
    >>> from netopt.specification.box import Box
    >>> from netopt.specification.property import Case, Conjunction, Property
    >>> network = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])  # |x|
    >>> above = Conjunction(np.array([[-1.0]]), np.array([-1.5]))  # y >= 1.5
    >>> prop = Property((Case(Box(np.array([-1.0]), np.array([1.0])), (above,)),), 1, 1)
    >>> recorder = ProofRecorder()
    >>> recorder.closed_by_bounds(0, [0])
    >>> check_proof(proof_log(recorder, network, prop), network, prop).valid
    True
    """
    checker = _Checker(log, network, prop)
    return checker.check()


class _Checker:
    def __init__(self, log: ProofLog, network: Network, prop: Property) -> None:
        self._log, self._network, self._prop = log, network, prop
        self._questions = Questions.of(prop)
        self._effort = Effort(_LEAST_SPLITS + log.forest.parent.size)
        self._trusted: list[str] = []

    def check(self) -> Check:
        """Return what was found."""
        try:
            reason = self._mismatch() or self._unproved()
        except InputError as error:
            reason = str(error)
        effort = self._effort
        goals = int(self._questions.goal[-1])
        return Check(
            reason, tuple(self._trusted), 0 if reason else goals, effort.parts, effort.own_splits, effort.fixed,
            effort.exact,
        )  # fmt: skip

    def _mismatch(self) -> str:
        """Return what does not fit together."""
        log = self._log
        if log.network_sha256 != self._network.sha256:
            return f"it is about the network {log.network_sha256[:12]}, not {self._network.sha256[:12]}"
        if log.property_sha256 != property_digest(self._prop):
            return "it is about another property"
        check_shapes(log, self._network, self._prop)
        leaves = log.leaves
        slopes = leaves.slopes[~np.isnan(leaves.slopes)]
        for name, table, most in (("weight", leaves.weights, np.inf), ("slope", slopes, 1.0)):
            if not ((table >= 0.0) & (table <= most) & np.isfinite(table)).all():
                return f"it has a {name} that is negative, too large or not a number"
        if not ((leaves.multipliers >= 0.0) & np.isfinite(leaves.multipliers)).all():
            return "it has a multiplier that is negative or not a number"
        return ""

    def _unproved(self) -> str:
        """Return what is not shown."""
        root, goal = self._roots()
        case = np.searchsorted(self._questions.goal, goal, side="right") - 1
        pending = np.ones(self._questions.goal[-1], dtype=bool)
        pending[goal] = False
        self._trust(pending)
        if pending.any():
            return f"{self._label(int(np.flatnonzero(pending)[0]))} is not mentioned"
        leaves = self._log.leaves
        forest = self._log.forest
        goals = self._questions.goals(forest.case[forest.tree[leaves.node]], leaves.disjunct)
        hints = LeafHints(forest, leaves, goals, pending.size, self._network.relu_count)
        for cases in self._together(np.unique(case)):
            chosen = np.isin(case, cases)
            failed = self._follow(int(cases[0]), hints, self._work(root[chosen], goal[chosen], case[chosen]))
            if failed.count:
                return f"{self._label(int(failed.goal[0]))} is not shown closed over {_part(failed)}"
        return ""

    def _roots(self) -> tuple[IntArray, IntArray]:
        """Return (root, goal): what trees say of which goals, and -1 for what bounds alone do."""
        bounded = self._questions.goals(*self._log.bounded.T)
        forest, leaves = self._log.forest, self._log.leaves
        most = int(leaves.disjunct.max(initial=-1)) + 1
        covered = forest.covered(leaves.closed(forest.nodes, most))[: forest.case.size]
        root, disjunct = np.nonzero(covered)
        goal = np.concatenate([bounded, self._questions.goals(forest.case[root], disjunct)])
        root = np.concatenate([np.full(bounded.size, -1), root])
        _, first = np.unique(goal, return_index=True)
        first = first[goal[first] >= 0]
        return root[first], goal[first]

    def _together(self, cases: IntArray) -> list[IntArray]:
        """Return the cases in groups: those that are plain boxes together, each other one by itself."""
        log, every = self._log, self._prop.cases
        alone = np.array([type(every[k].domain) is not Box or k in log.bounds for k in cases.tolist()], dtype=bool)
        groups = [cases[[k]] for k in np.flatnonzero(alone)]
        return [*groups, cases[~alone]] if not alone.all() else groups

    def _follow(self, case: int, hints: LeafHints, work: Work) -> Work:
        """Follow the trees of a case; bounds of a solver are believed only where it does not go without."""
        domain = self._prop.cases[case].domain
        within = None if type(domain) is Box else domain
        evaluator = Evaluator(self._network, self._questions, within)
        failed = Follower(evaluator, self._log.forest, hints, self._effort).follow(work)
        if not failed.count or case not in self._log.bounds:
            return failed
        self._trusted.append(f"case {case + 1}: pre-activation bounds of level {self._log.levels[case]}")
        evaluator = Evaluator(self._network, self._questions, within, self._log.bounds[case])
        return Follower(evaluator, self._log.forest, hints, self._effort).follow(work)

    def _work(self, root: IntArray, goal: IntArray, case: IntArray) -> Work:
        domains = [self._prop.cases[k].domain for k in case.tolist()]
        corners = np.stack([domain.lower for domain in domains]), np.stack([domain.upper for domain in domains])
        neurons = self._network.relu_count if self._network.input_size <= MOST_INPUTS else 0
        return Work.whole(root, goal, *corners, neurons)

    def _trust(self, pending: BoolArray) -> None:
        """Take from the pending goals those that rest on somebody's word, and say so."""
        for number, asked in enumerate(self._prop.cases):
            goals = slice(int(self._questions.goal[number]), int(self._questions.goal[number + 1]))
            if pending[goals].any() and asked.domain.is_empty():
                pending[goals] = False
                if type(asked.domain) is not Box:
                    self._trusted.append(f"case {number + 1}: no input satisfies its linear constraints")
        for (number, disjunct), method in sorted(self._log.claims.items()):
            goal = int(self._questions.goals(np.array([number]), np.array([disjunct]))[0])
            if goal >= 0 and pending[goal]:
                pending[goal] = False
                self._trusted.append(f"{self._label(goal)}: {method}")

    def _label(self, goal: int) -> str:
        case = int(np.searchsorted(self._questions.goal, goal, side="right")) - 1
        return f"case {case + 1}, disjunct {goal - int(self._questions.goal[case]) + 1}"


def _part(work: Work) -> str:
    node = int(work.node[0])
    return "its whole domain" if node < 0 else f"part {node}"
