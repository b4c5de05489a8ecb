r"""What a domain is beside its box, as linear rows for searches that split boxes, regions or ReLUs.

A polytope has its rows ``A x <= b``. An L1 ball ``|x - c|_1 <= r`` is the intersection of ``s (x - c) <= r`` over all
sign vectors s: all of them where few inputs vary; of a small box one, with the signs of the orthant it lies in, says
everything, and where it reaches over a coordinate plane the sign that the objective rises to says most.

ReLU splitting carries functions backward to a box. Rows of a polytope become neurons ``b - A x`` of a ReLU that nothing
depends on, fixed active in every part: their split multipliers are those of the rows, and linear programs of parts are
exact as ever.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from netopt.arrays import FloatArray, sparse
from netopt.bounds.half_spaces import HalfSpaces
from netopt.bounds.inputs import as_inputs
from netopt.bounds.propagation import propagate
from netopt.engines.branch_and_bound.search import Problem
from netopt.network.identity import Identity
from netopt.network.network import INPUT
from netopt.network.nodes import Affine, Relu
from netopt.network.sparse import Sparse
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.l1_ball import L1Ball
from netopt.specification.polytope import Polytope

#: Most inputs that vary of an L1 ball whose rows are all written down.
_MOST_SIGNS = 6
#: Rows are loosened by this part of their size, more than membership allows.
_LOOSER = 4e-9
#: Most rows of a polytope that cut one box.
_MOST_CUTS = 8
#: The ReLU that stands for rows of a domain.
ROWS = "rows of the domain"


def has_exact_rows(domain: Domain) -> bool:
    """Return whether a domain is exactly its box and `rows_of_domain`."""
    if isinstance(domain, L1Ball):
        return int(np.count_nonzero(domain.upper > domain.lower)) <= _MOST_SIGNS
    return type(domain) in (Box, Polytope)


def rows_of_domain(domain: Domain) -> tuple[FloatArray, FloatArray]:
    """Return rows ``A x <= b`` that hold in a domain, loosened by what membership allows; none for a box."""
    rows, sides = [np.empty((0, domain.dimension))], [np.empty(0)]
    if isinstance(domain, Polytope):
        matrix = domain.matrix.toarray()
        for sign, side in ((1.0, domain.row_upper), (-1.0, -domain.row_lower)):
            finite = np.isfinite(side)
            rows.append(sign * matrix[finite])
            sides.append(side[finite])
    elif isinstance(domain, L1Ball) and has_exact_rows(domain):
        vary = np.flatnonzero(domain.upper > domain.lower)
        signs = np.zeros((2**vary.size, domain.dimension))
        signs[:, vary] = np.array(list(itertools.product([-1.0, 1.0], repeat=vary.size)))
        rows.append(signs)
        sides.append(domain.budget + signs @ domain.base)
    joined, side = np.concatenate(rows), np.concatenate(sides)
    size = np.abs(joined) @ np.maximum(np.abs(domain.lower), np.abs(domain.upper))
    if isinstance(domain, L1Ball):
        size = size + np.abs(domain.middle).sum() + domain.radius
    return joined, side + _LOOSER * (size + np.abs(side))


class DomainCuts:
    """Half-spaces that hold in a domain, for boxes within its own."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._matrix, self._side = rows_of_domain(domain)
        self._ball = domain if isinstance(domain, L1Ball) else None

    @property
    def none(self) -> bool:
        """Whether the domain is its box."""
        return self._ball is None and not self._side.size

    def of(self, low: FloatArray, high: FloatArray, slope: FloatArray) -> HalfSpaces:
        """Return half-spaces that cut boxes (B, n), and functions ``slope @ x`` (B, n) there, most."""
        if self._ball is not None:
            return self._of_ball(self._ball, low, high, slope)
        best = np.maximum(self._matrix, 0.0) @ high.T + np.minimum(self._matrix, 0.0) @ low.T
        width = np.abs(self._matrix) @ (high - low).T
        share = np.divide(best - self._side[:, None], width, out=np.zeros(best.shape), where=width > 0.0).T
        count = min(_MOST_CUTS, self._side.size)
        chosen = np.argpartition(-share, count - 1, axis=1)[:, :count]
        return HalfSpaces(-self._matrix[chosen], self._side[chosen])

    def _of_ball(self, ball: L1Ball, low: FloatArray, high: FloatArray, slope: FloatArray) -> HalfSpaces:
        sign = np.where(low >= ball.base, 1.0, np.where(high <= ball.base, -1.0, 0.0))
        signs = np.stack([sign, np.where(sign == 0.0, np.sign(slope), sign)], axis=1)
        size = np.abs(ball.base).sum() + np.abs(ball.middle).sum() + ball.radius
        return HalfSpaces(-signs, ball.budget + signs @ ball.base + _LOOSER * size)


def in_network(problem: Problem) -> Problem:
    """Return the problem over the box of its polytope, the rows as the neurons of the ReLU `ROWS`; see the module."""
    network, domain = problem.network, problem.domain
    matrix, side = rows_of_domain(domain)
    norm = np.linalg.norm(matrix, axis=1)
    matrix, side, norm = matrix[norm > 0.0], side[norm > 0.0], norm[norm > 0.0]
    rows = sparse.csr_array(-matrix / norm[:, None])
    nothing = Sparse(sparse.csr_array((network.output_size, norm.size)))
    slack = Affine(f"{ROWS}.slack", (INPUT,), (Sparse(rows),), side / norm)
    relu = Relu(ROWS, slack.name, norm.size)
    output = Affine(
        f"{ROWS}.output",
        (network.output, ROWS),
        (Identity(network.output_size), nothing),
        np.zeros(network.output_size),
    )
    larger = network.with_nodes((*network.nodes, slack, relu, output), output.name)
    box = Box(domain.lower, domain.upper)
    state = propagate(larger, as_inputs(larger, box), problem.bounds.pairs)
    known = problem.bounds
    bounds = replace(
        known,
        lower={**known.lower, ROWS: state.lower[slack.name][0]},
        upper={**known.upper, ROWS: state.upper[slack.name][0]},
        network_sha256=larger.sha256,
    )
    return replace(problem, network=larger, domain=box, bounds=bounds)
