"""Small random perceptrons and objectives whose maxima are known by all activation patterns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from activation_patterns import largest_slack, random_perceptron
from scipy import sparse

from netopt.engines.objective import SlackObjective
from netopt.network.network import Network
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.l1_ball import L1Ball
from netopt.specification.property import Conjunction


def random_objective(
    generator: np.random.Generator, rows: int, inputs: int, outputs: int, *, mixed: bool, most: int = 6
) -> SlackObjective:
    """Return an objective of some rows, over the inputs as well where `mixed`, with bounds of at most `most` / 2."""
    about_inputs = sparse.csr_array(generator.integers(-2, 3, size=(rows, inputs)) / 2.0) if mixed else None
    matrix = generator.integers(-4, 5, size=(rows, outputs)) / 2.0
    bound = generator.integers(-6, most + 1, size=rows) / 2.0
    return SlackObjective.normalised(Conjunction(matrix, bound, about_inputs))


def random_objectives(generator: np.random.Generator, count: int, inputs: int, outputs: int) -> list[SlackObjective]:
    """Return objectives of one to three rows, half of them mentioning inputs, more of them negative than positive."""
    return [
        random_objective(
            generator, int(generator.integers(1, 4)), inputs, outputs, mixed=generator.random() < 0.5, most=2
        )
        for _ in range(count)
    ]


@dataclass(frozen=True)
class SolvedCase:
    """A perceptron with two outputs over a box, three objectives, and their maxima (3,)."""

    network: Network
    box: Box
    objectives: list[SlackObjective]
    truth: np.ndarray


def solved_case(seed: int, inputs: int, scale: float = 1.0) -> SolvedCase:
    """Return a random case, some inputs fixed now and then, with two layers of ReLUs."""
    generator = np.random.default_rng(seed)
    perceptron = random_perceptron(generator, [inputs, 3, inputs, 2], scale)
    lower = generator.integers(-4, 3, size=inputs) / 2.0
    upper = lower + generator.integers(0, 4, size=inputs) / 2.0
    objectives = random_objectives(generator, 3, inputs, 2)
    truth = np.array([largest_slack(perceptron, o.conjunction, o.norm, lower, upper) for o in objectives])
    return SolvedCase(perceptron.network, Box(lower, upper), objectives, truth)


@dataclass(frozen=True)
class SolvedMaximum:
    """A perceptron over a box or an L1 ball, one objective, and its maximum."""

    network: Network
    domain: Domain
    objective: SlackObjective
    truth: float


def solved_maximum(seed: int, *, ball: bool, mixed: bool, scale: float) -> SolvedMaximum:
    """Return a random case with two inputs, two layers of ReLUs and an objective of one or two rows."""
    generator = np.random.default_rng(seed)
    perceptron = random_perceptron(generator, [2, 3, 3, 2], scale)
    lower = generator.integers(-4, 3, size=2) / 2.0
    upper = lower + generator.integers(0, 5, size=2) / 2.0
    objective = random_objective(generator, int(generator.integers(1, 3)), 2, 2, mixed=mixed)
    middle = (lower + upper) / 2.0
    domain: Domain = L1Ball(middle, 0.75, lower, upper) if ball else Box(lower, upper)
    l1 = (middle, 0.75) if ball else None
    truth = largest_slack(perceptron, objective.conjunction, objective.norm, lower, upper, l1=l1)
    return SolvedMaximum(perceptron.network, domain, objective, truth)
