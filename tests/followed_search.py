"""What tests of searches share: a watch that replays every point, objectives of several rows, small cases solved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from activation_patterns import largest_slack, random_perceptron
from scipy import sparse

from netopt.bounds.crown import crown_bounds
from netopt.engines.branch_and_bound.search import Problem
from netopt.engines.objective import SlackObjective
from netopt.network.network import Network
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.property import Conjunction


class Follower:
    """A watch that replays points; `gap` is None to prove objectives negative, else what a maximum may miss."""

    def __init__(self, problem: Problem, gap: float | None) -> None:
        self.problem, self.gap = problem, gap
        self.best = np.full(len(problem.objectives), -np.inf)

    def enough(self) -> np.ndarray:
        if self.gap is None:
            return np.full(self.best.size, -np.finfo(np.float64).smallest_subnormal)
        return self.best + self.gap

    def stopped(self) -> bool:
        return False

    def seen(self, objective: int, points: np.ndarray) -> None:
        assert self.problem.domain.contains(points).all()
        values = self.problem.objectives[objective].value(points, self.problem.network.forward(points))
        self.best[objective] = max(self.best[objective], values.max())


def problem_of(network: Network, domain: Domain, objectives: list[SlackObjective]) -> Problem:
    """Return a problem with CROWN's bounds."""
    return Problem(network, domain, crown_bounds(network, domain), tuple(objectives))


def random_objectives(generator: np.random.Generator, count: int, inputs: int, outputs: int) -> list[SlackObjective]:
    """Return objectives of one to three rows, half of them mentioning inputs."""
    objectives = []
    for _ in range(count):
        rows = int(generator.integers(1, 4))
        mixed = None
        if generator.random() < 0.5:
            mixed = sparse.csr_array(generator.integers(-2, 3, size=(rows, inputs)) / 2.0)
        matrix = generator.integers(-4, 5, size=(rows, outputs)) / 2.0
        bound = generator.integers(-6, 3, size=rows) / 2.0
        objectives.append(SlackObjective.normalised(Conjunction(matrix, bound, mixed)))
    return objectives


@dataclass(frozen=True)
class SolvedCase:
    """A small perceptron over a box, three objectives, and their maxima by all activation patterns."""

    network: Network
    box: Box
    objectives: list[SlackObjective]
    truth: np.ndarray


def solved_case(seed: int, inputs: int) -> SolvedCase:
    """Return a random case with some inputs fixed now and then, two layers of ReLUs and two outputs."""
    generator = np.random.default_rng(seed)
    perceptron = random_perceptron(generator, [inputs, 3, inputs, 2])
    lower = generator.integers(-4, 3, size=inputs) / 2.0
    upper = lower + generator.integers(0, 4, size=inputs) / 2.0
    objectives = random_objectives(generator, 3, inputs, 2)
    truth = np.array([largest_slack(perceptron, o.conjunction, o.norm, lower, upper) for o in objectives])
    return SolvedCase(perceptron.network, Box(lower, upper), objectives, truth)
