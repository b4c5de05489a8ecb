"""What looks for points on the dense network while no surrogate has one: gradient ascents from random starts."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence

import numpy as np

from netopt.arrays import FloatArray
from netopt.attack.gradient_ascent import attack_case
from netopt.problems.surrogate.incumbent import DenseIncumbent, dense_value
from netopt.specification.property import Case

#: Origin of its points.
ASCENT = "ascent"


class Portfolio:
    """Ascents for several objectives, those over one domain together, one domain after the other.

    Parameters
    ----------
    incumbents : the objectives.
    generator : of the random starts; used in the thread that calls.
    target : normalised value at which an ascent has what it wants.
    """

    def __init__(self, incumbents: Sequence[DenseIncumbent], generator: np.random.Generator, target: float) -> None:
        groups: dict[int, list[DenseIncumbent]] = {}
        for incumbent in incumbents:
            groups.setdefault(id(incumbent.domain), []).append(incumbent)
        self._turns = itertools.cycle(groups.values())
        self._generator, self._target = generator, target

    def __call__(
        self, deadline: float, wanted: threading.Event
    ) -> tuple[DenseIncumbent, FloatArray, float, str] | None:
        """Climb for the next domain's objectives; return the best of them with its point, value and origin."""
        group = next(self._turns)
        case = Case(group[0].domain, tuple(incumbent.objective.conjunction for incumbent in group))
        result = attack_case(
            group[0].network,
            case,
            generator=self._generator,
            deadline=deadline,
            interrupt=wanted,
            target=self._target,
        )
        for incumbent, value, point in zip(group, result.values, result.points, strict=True):
            if np.isfinite(value):
                incumbent.offer(point[None], ASCENT)
        if not np.isfinite(result.value):
            return None
        best = group[result.disjunct]
        return best, result.point, dense_value(best, result.point), ASCENT
