"""Multi-start projected gradient ascent: points of a domain that satisfy a disjunct, or maximise a linear function.

Rounds of restarts, each one batch, until the time is used up or a point is good enough: from given points, the centre,
the corners that the output's gradient points to, and the best of many random samples.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.attack.ascent import Ascent, Best, Direction
from netopt.attack.local_search import perturb
from netopt.attack.objective import SlackBatch
from netopt.attack.stopping import stopping
from netopt.errors import InputError
from netopt.network.network import Network
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.integer import continuous
from netopt.specification.l1_ball import L1Ball
from netopt.specification.property import Case

#: Normalised slack at which a satisfying point is robust enough to survive float32 evaluation; the search stops there.
ROBUST = 1e-4
#: Numbers of neurons times points that one evaluation may hold: bounds memory and the time between looks at the clock.
_WORK = 2_000_000
_MOST_POINTS = 256
#: The first round has this many points, each later one twice as many.
_FIRST_POINTS = 32
#: Points at a time in domains whose projection is iterative, or solves a program for each point.
_FEW_POINTS = 16
_ITERATIONS = 40
#: Random samples looked at for each restart.
_SAMPLES = 8
#: Rounds without an improvement of any disjunct after which a search without a deadline ends.
_PATIENCE = 3


@dataclass(frozen=True, slots=True, eq=False)
class AttackResult:
    """The best point found.

    Attributes
    ----------
    point : (n,) float64 member of the domain.
    value : smallest normalised slack of the best disjunct at `point`; satisfied where it is >= 0.
    disjunct : position of that disjunct.
    values, points : (disjuncts,) and (disjuncts, n), the best of each disjunct.
    """

    point: FloatArray
    value: float
    disjunct: int
    values: FloatArray
    points: FloatArray


def attack_case(
    network: Network,
    case: Case,
    *,
    generator: np.random.Generator,
    deadline: float | None = None,
    starts: FloatArray | None = None,
    interrupt: threading.Event | None = None,
    target: float = ROBUST,
    rounds: int | None = None,
    made: int = 0,
) -> AttackResult:
    """Look for a point of the case's domain that satisfies one of its disjuncts.

    Parameters
    ----------
    generator : the only source of randomness; the same generator and number of rounds give the same result.
    deadline : value of `time.monotonic` to stop at, None for none.
    starts : (k, n) points to start from besides the built-in ones.
    interrupt : stops the search once set.
    target : the search stops at a point with this smallest normalised slack.
    rounds : most rounds of restarts; None goes on to the deadline (without one, until three rounds bring nothing).
    made : rounds of an earlier call that this one goes on from; its best points are to be among `starts`.

    Returns
    -------
    AttackResult
        A hit where ``value >= 0``; otherwise the closest miss, from which nothing may be concluded.

    Raises
    ------
    InputError
        The case and the network do not fit, the domain is empty or there are no disjuncts.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.attack.gradient_ascent import attack_case
    >>> from netopt.network.build import from_weights
    >>> from netopt.specification.box import Box
    >>> from netopt.specification.property import Case, Conjunction
    >>> network = from_weights([[[1.0]], [[1.0]]], [[0.0], [0.0]])
    >>> case = Case(Box(np.zeros(1), np.ones(1)), (Conjunction(np.array([[-1.0]]), np.array([-0.5])),))
    >>> attack_case(network, case, generator=np.random.default_rng(0)).value >= 0.0
    True
    """
    if not case.disjuncts:
        raise InputError("the case has no disjuncts; there is nothing to look for")
    objective = SlackBatch.of(case.disjuncts)
    search = RestartSearch(network, case.domain, objective, generator, deadline, interrupt, target)
    best = search.run(starts, rounds, made)
    winner = int(best.values.argmax())
    return AttackResult(best.points[winner].copy(), float(best.values[winner]), winner, best.values, best.points)


def ascend_linear(
    network: Network,
    domain: Domain,
    weights: FloatArray,
    *,
    generator: np.random.Generator,
    deadline: float | None = None,
    starts: FloatArray | None = None,
    interrupt: threading.Event | None = None,
    target: float = np.inf,
    rounds: int | None = None,
) -> tuple[FloatArray, float]:
    """Look for a large value of ``weights @ y`` over the domain; return the best (point, value).

    Parameters are those of `attack_case`.
    """
    objective = SlackBatch.linear(np.asarray(weights, dtype=np.float64))
    search = RestartSearch(network, domain, objective, generator, deadline, interrupt, target)
    best = search.run(starts, rounds)
    return best.points[0].copy(), float(best.values[0])


class RestartSearch:
    """Rounds of restarts on one domain.

    Parameters are those of `attack_case`; `best`, where given, is shared with other searches.

    Attributes
    ----------
    stopped : tells whether the target is reached, the time is up or the search is interrupted.
    walk : the domain that points are moved in: without the integrality of inputs.
    most : points that a batch may hold at most; `batch` is what the next one holds.
    """

    def __init__(
        self,
        network: Network,
        domain: Domain,
        objective: SlackBatch,
        generator: np.random.Generator,
        deadline: float | None,
        interrupt: threading.Event | None,
        target: float,
        best: Best | None = None,
    ) -> None:
        if domain.dimension != network.input_size or objective.output_matrix.shape[1] != network.output_size:
            raise InputError(
                f"the property is about {domain.dimension} inputs and {objective.output_matrix.shape[1]} outputs,"
                f" the network has {network.input_size} and {network.output_size}"
            )
        if domain.is_empty():
            raise InputError("the domain is empty; there is no point to look for")
        self.network, self.domain, self.objective, self.generator = network, domain, objective, generator
        self.deadline, self.target = deadline, target
        self.best = Best.empty(objective.disjuncts, domain.dimension) if best is None else best
        self.stopped = stopping(deadline, interrupt, lambda: bool(self.best.values.max() >= target))
        widest = max(node.size for node in network.nodes)
        self.walk = continuous(domain)
        quick = isinstance(self.walk, Box) or isinstance(domain, L1Ball)
        self.most = int(np.clip(_WORK // max(widest, domain.dimension), 1, _MOST_POINTS if quick else _FEW_POINTS))
        self.batch = min(self.most, _FIRST_POINTS)
        self.directions = _directions(self.walk)

    def run(self, starts: FloatArray | None, rounds: int | None, made: int = 0) -> Best:
        """Run rounds of restarts behind those `made` before, and return the best points."""
        self.look(starts)
        self.batch = min(self.most, self.batch << made)
        number, idle = made, 0
        while not self.stopped() and (rounds is None or number < made + rounds):
            before = self.best.values.copy()
            self.round(number)
            number += 1
            idle = 0 if (self.best.values > before + 1e-9 * (1.0 + np.abs(before))).any() else idle + 1
            hit = self.best.values.max() >= 0.0 and np.isfinite(self.target)
            if hit or (self.deadline is None and idle >= _PATIENCE):
                break
        return self.best

    def round(self, number: int) -> None:
        """Run one round of restarts, the `number`-th; each climbs twice as many points as the one before."""
        self._climb(number)
        if not self.stopped():
            perturb(self.network, self.domain, self.objective, self.best, self.generator, self.batch, self.stopped)
        self.batch = min(2 * self.batch, self.most)

    def look(self, starts: FloatArray | None) -> None:
        """Evaluate the domain's centre and the starts (k, n), put into the domain."""
        points = [self.domain.center[None]]
        if starts is not None and np.size(starts):
            points.append(self.domain.project(np.atleast_2d(np.asarray(starts, dtype=np.float64))))
        self._evaluate(np.concatenate(points))

    def _evaluate(self, points: FloatArray) -> FloatArray:
        values = self.objective.values(self.network, points)
        self.best.update(points, values)
        return values

    def _climb(self, number: int) -> None:
        """Run one batch of restarts: climbs of every kind on every disjunct, the closest ones first."""
        order = np.argsort(-self.best.values, kind="stable")
        if number % 2:  # every other round looks at the most promising disjuncts only
            order = order[: max(1, order.size // 4)]
        target = np.resize(order, self.batch)
        kind = np.arange(self.batch) // order.size
        start = self._starts(target, kind, number)
        ascent = Ascent(
            network=self.network,
            domain=self.domain,
            objective=self.objective,
            start=start,
            target=target,
            spread=np.where(kind % 4 < 2, 0.0, 1.0),
            direction=self.directions[kind % self.directions.size],
            step=np.where(kind % 3 == 2, 0.1, 0.5) if number else np.full(self.batch, 0.5),
        )
        if self.stopped():
            return
        ascent.run(_ITERATIONS, self.best, self.stopped)

    def _starts(self, target: IntArray, kind: IntArray, number: int) -> FloatArray:
        """Return a start for each climb: the best point so far, its gradient's corner, and screened random samples."""
        samples = self._samples(self.batch * _SAMPLES)
        values = self._evaluate_in_blocks(samples)
        rank = np.argsort(-values, axis=0, kind="stable")
        start: FloatArray = samples[rank[np.minimum(kind * (1 if number % 2 else _SAMPLES), rank.shape[0] - 1), target]]
        anchored = kind == 0
        start[anchored] = self.best.points[target[anchored]]
        cornered = np.flatnonzero(kind == 1)
        if cornered.size:
            points = self.best.points[target[cornered]]
            _, gradient = self.objective.ascent(self.network, points, target[cornered], np.zeros(cornered.size))
            start[cornered] = self.domain.maximizer(gradient)
        return start

    def _samples(self, count: int) -> FloatArray:
        """Return random members; unless the domain is an L1 ball, half of them are from corners of its box."""
        samples = self.domain.sample(self.generator, count)
        if not isinstance(self.walk, L1Ball):
            half = count // 2
            high = self.generator.random((half, self.domain.dimension)) < self.generator.random((half, 1))
            samples[:half] = self.domain.project(np.where(high, self.domain.upper, self.domain.lower))
        return samples

    def _evaluate_in_blocks(self, points: FloatArray) -> FloatArray:
        values = np.full((len(points), self.objective.disjuncts), -np.inf)
        for k in range(0, len(points), self.batch):
            if self.stopped():
                break
            values[k : k + self.batch] = self._evaluate(points[k : k + self.batch])
        return values


def _directions(domain: Domain) -> IntArray:
    """Return the directions that suit a domain, in turn: its shape decides which steps stay large after projection."""
    if isinstance(domain, L1Ball):
        return np.array([Direction.VERTEX, Direction.GRADIENT])
    return np.array([Direction.SIGNS, Direction.GRADIENT])
