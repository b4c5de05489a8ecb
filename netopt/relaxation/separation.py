r"""Is a slack vector the image of an input? If not, a direction that says so.

The pruned part maps the domain D to the convex set ``P D``. With x the member whose image is nearest to r (row by row
in units of the rows' ranges), the difference ``v = r - P x`` separates: ``v r > max_{x in D} v P x`` unless r is in
``P D``. The projection is found by accelerated projected gradient steps (Beck, Teboulle, *A fast iterative
shrinkage-thresholding algorithm*, 2009); a direction is useful, never unsound, however inexact it is.
"""

from __future__ import annotations

import numpy as np

from netopt.arrays import FloatArray
from netopt.relaxation.remainder import Remainder
from netopt.specification.domain import Domain

#: Steps of the projection; directions improve little after.
_STEPS = 60
#: Rows whose range is below this share of the widest one's, or below any scale networks have, are left out.
_LEAST, _TINY = 1e-12, 1e-100
#: Difference, in units of the rows' ranges, that counts as none.
_NONE = 1e-6


class Separator:
    """Separates slack vectors from the image of a domain under the pruned part of a layer of its inputs."""

    def __init__(self, domain: Domain, remainder: Remainder) -> None:
        # A layer may read the inputs more than once.
        matrix = np.sum([linear_map.to_csr().toarray() for linear_map in remainder.part.maps], axis=0)
        reach = np.maximum(np.abs(remainder.lower), np.abs(remainder.upper))
        finite = np.isfinite(reach)
        usable = finite & (reach > max(_LEAST * reach[finite].max(initial=0.0), _TINY))
        self._domain = domain
        self._unit = np.divide(1.0, reach, out=np.zeros(reach.size), where=usable)
        self._matrix = matrix * self._unit[:, None]
        curvature = float(np.linalg.norm(self._matrix @ self._matrix.T, 2)) if self._matrix.size else 0.0
        self._step = 1.0 / curvature if curvature > 0.0 else 0.0

    def nearest(self, slack: FloatArray) -> FloatArray:
        """Return a member (n,) whose image is close to `slack` (size,)."""
        target = slack * self._unit
        x = previous = self._domain.center
        momentum = 1.0
        for _ in range(_STEPS):
            later = (1.0 + np.sqrt(1.0 + 4.0 * momentum**2)) / 2.0
            ahead = x + (momentum - 1.0) / later * (x - previous)
            gradient = (self._matrix @ ahead - target) @ self._matrix
            previous, x, momentum = x, self._domain.project((ahead - self._step * gradient)[None])[0], later
        return x

    def gap(self, slack: FloatArray) -> FloatArray:
        """Return how far each slack is from the pruned part at the nearest member, in units of its range, (size,)."""
        return np.asarray(np.abs(slack * self._unit - self._matrix @ self.nearest(slack)))

    def direction(self, slack: FloatArray) -> FloatArray | None:
        """Return a direction (size,) that parts `slack` from the image, largest entry 1; None when there is none."""
        away = slack * self._unit - self._matrix @ self.nearest(slack)
        if np.abs(away).max(initial=0.0) <= _NONE:
            return None
        direction = away * self._unit
        largest = np.abs(direction).max()
        if not 0.0 < largest < np.inf:
            return None
        direction = direction / largest
        return direction if np.isfinite(direction).all() else None
