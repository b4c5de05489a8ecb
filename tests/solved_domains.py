"""A domain of every kind over two inputs, and maxima over them by all activation patterns."""

from __future__ import annotations

import numpy as np
from activation_patterns import Perceptron, largest_slack
from scipy import sparse

from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.integer import IntegerPoints
from netopt.specification.l1_ball import L1Ball
from netopt.specification.polytope import Polytope
from netopt.specification.property import Conjunction

LOWER, UPPER = np.array([-1.0, -1.5]), np.array([1.0, 0.5])
_ROWS, _BOUND = np.array([[1.0, 1.0], [-1.0, 2.0]]), np.array([0.25, 0.5])
_MASK = np.array([True, False])
#: Kind -> the domain, and what `largest_slack` has to know of it beside the corners of its box.
_DESCRIBED: dict[str, tuple[Domain, dict[str, object]]] = {
    "box": (Box(LOWER, UPPER), {}),
    "point": (Box(LOWER, LOWER), {"upper": LOWER}),
    "l1": (L1Ball(np.zeros(2), 0.75, LOWER, UPPER), {"l1": (np.zeros(2), 0.75)}),
    "polytope": (
        Polytope(sparse.csr_array(_ROWS), np.full(2, -np.inf), _BOUND, LOWER, UPPER),
        {"rows": (_ROWS, _BOUND)},
    ),
    "integer": (IntegerPoints(Box(LOWER, UPPER), _MASK), {"integral": _MASK}),
}
DOMAINS: dict[str, Domain] = {kind: domain for kind, (domain, _) in _DESCRIBED.items()}


def optimum(perceptron: Perceptron, weights: np.ndarray, kind: str, *, minimize: bool = False) -> float:
    """Return the largest ``weights @ y`` over a domain, or the smallest."""
    sign = -1.0 if minimize else 1.0
    row = Conjunction(-sign * weights[None], np.zeros(1))
    arguments = {"lower": LOWER, "upper": UPPER} | _DESCRIBED[kind][1]
    return sign * largest_slack(perceptron, row, np.ones(1), **arguments)  # type: ignore[arg-type]
