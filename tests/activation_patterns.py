"""Independent answers: the largest slack of a small multilayer perceptron, by one LP for every activation pattern."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.optimize import LinearConstraint, milp

from netopt.network.build import from_weights
from netopt.network.network import Network
from netopt.specification.property import Conjunction


@dataclass(frozen=True)
class Perceptron:
    """Weights of a multilayer perceptron."""

    weights: list[np.ndarray]
    biases: list[np.ndarray]

    @property
    def network(self) -> Network:
        return from_weights(self.weights, self.biases)


def random_perceptron(generator: np.random.Generator, sizes: list[int], scale: float = 1.0) -> Perceptron:
    """Return weights with zeros, a dead neuron now and then, and ties (multiples of 1/4)."""
    weights, biases = [], []
    for inner, outer in itertools.pairwise(sizes):
        weight = generator.integers(-8, 9, size=(outer, inner)) / 4.0
        weight[generator.random(weight.shape) < 0.2] = 0.0
        weight[generator.random(outer) < 0.1] = 0.0
        weights.append(weight * scale)
        biases.append(generator.integers(-4, 5, size=outer) / 4.0 * scale)
    return Perceptron(weights, biases)


def largest_slack(
    perceptron: Perceptron,
    conjunction: Conjunction,
    norm: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    *,
    rows: tuple[np.ndarray, np.ndarray] | None = None,
    l1: tuple[np.ndarray, float] | None = None,
    integral: np.ndarray | None = None,
) -> float:
    """Return max over x of min_i (bound - A x - B y)_i / norm_i, -inf for an empty domain.

    Parameters
    ----------
    rows : (matrix, bound) of linear input rows ``matrix @ x <= bound``.
    l1 : (center, radius) of an L1 ball.
    integral : which inputs take integers only.
    """
    hidden = [bias.size for bias in perceptron.biases[:-1]]
    best = -np.inf
    for pattern in itertools.product((0.0, 1.0), repeat=sum(hidden)):
        best = max(
            best, _largest_slack(perceptron, np.array(pattern), conjunction, norm, lower, upper, rows, l1, integral)
        )
    return best


def _largest_slack(perceptron, pattern, conjunction, norm, lower, upper, rows, l1, integral) -> float:
    n = lower.size
    matrix, constant, used = np.eye(n), np.zeros(n), 0
    signs, sign_bound = [], []
    for weight, bias in zip(perceptron.weights[:-1], perceptron.biases[:-1], strict=True):
        matrix, constant = weight @ matrix, weight @ constant + bias
        active = pattern[used : used + bias.size]
        used += bias.size
        toward = np.where(active > 0.0, -1.0, 1.0)  # active: -(M x + c) <= 0
        signs.append(toward[:, None] * matrix)
        sign_bound.append(-toward * constant)
        matrix, constant = active[:, None] * matrix, active * constant
    matrix, constant = perceptron.weights[-1] @ matrix, perceptron.weights[-1] @ constant + perceptron.biases[-1]
    output_rows = conjunction.output_matrix @ matrix
    if conjunction.input_matrix is not None:
        output_rows = output_rows + conjunction.input_matrix.toarray()
    bound = conjunction.bound - conjunction.output_matrix @ constant
    blocks = [np.hstack([output_rows, np.zeros((bound.size, n)), norm[:, None]])]
    bounds = [bound]
    wide = lambda block: np.hstack([block, np.zeros((block.shape[0], n + 1))])  # noqa: E731 - a local shorthand
    blocks += [wide(block) for block in signs]
    bounds += sign_bound
    if rows is not None:
        blocks.append(wide(rows[0]))
        bounds.append(rows[1])
    distance = np.full(n, np.inf)
    if l1 is not None:
        center, radius = l1
        zero = np.zeros((n, 1))
        blocks += [np.hstack([np.eye(n), -np.eye(n), zero]), np.hstack([-np.eye(n), -np.eye(n), zero])]
        blocks.append(np.concatenate([np.zeros(n), np.ones(n), [0.0]])[None])
        bounds += [center, -center, np.array([radius])]
    else:
        distance = np.zeros(n)
    integrality = np.zeros(2 * n + 1)
    if integral is not None:
        integrality[:n] = integral
    answer = milp(
        np.concatenate([np.zeros(2 * n), [-1.0]]),
        constraints=LinearConstraint(np.vstack(blocks), ub=np.concatenate(bounds)),
        bounds=(np.concatenate([lower, np.zeros(n), [-1e9]]), np.concatenate([upper, distance, [1e9]])),
        integrality=integrality,
    )
    return -np.inf if answer.status == 2 else -float(answer.fun)
