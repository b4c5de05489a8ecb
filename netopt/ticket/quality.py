r"""How good the subsets are, beside the figures to judge them by.

Errors are relative: the root mean square of what is off over that of the targets. The empty subset has the error 1.
The first-moment limit is the largest deviation, over the D entries, below which no subset is to be expected among n
vectors: :math:`\tfrac12 \sqrt{\pi n / 2} \sqrt e \, 2^{-n / D}`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray
from netopt.subset_sum.limits import first_moment_limit
from netopt.ticket.found import Found
from netopt.ticket.search import Subsets


@dataclass(frozen=True, slots=True)
class Quality:
    """What the search reached for one learned map or bias, over all its problems.

    Attributes
    ----------
    key : the map or bias.
    scale : how many times as large it was looked for.
    problems, entries : number of subset-sum problems, and the dimension D of each.
    candidates : mean number n of filters that a problem chooses from.
    kept : filters kept in all.
    relative_error : root mean square of the entrywise errors over that of the targets.
    deviation : median over the problems of the largest deviation, in the ticket's units.
    empty_deviation : the same if nothing was kept.
    limit : first-moment limit of the deviation.
    """

    key: str
    scale: float
    problems: int
    entries: int
    candidates: float
    kept: int
    relative_error: float
    deviation: float
    empty_deviation: float
    limit: float


def measure_quality(found: Found) -> tuple[Quality, ...]:
    """Return the quality of every learned map, then of every bias."""
    maps = [_quality(one.learned.key, one.learned.factor, one.subsets, one.learned.targets) for one in found.maps]
    biases = [
        _quality(
            one.learned.key,
            found.scales[one.learned.node.name] / one.learned.carried,
            one.subsets,
            one.learned.targets,
        )
        for one in found.biases
    ]
    return tuple(maps + biases)


def _quality(key: str, scale: float, subsets: Subsets, targets: FloatArray) -> Quality:
    side, channel = np.nonzero(subsets.usable)
    wanted = np.where(side == 0, 1.0, -1.0)[:, None] * targets[channel]
    off = np.abs(subsets.sums[side, channel] - wanted)
    norm = float(np.linalg.norm(wanted))
    count = float(subsets.usable[side, channel].mean()) if side.size else 0.0
    return Quality(
        key=key,
        scale=scale,
        problems=side.size,
        entries=subsets.pair.entries,
        candidates=count,
        kept=subsets.lift.size,
        relative_error=float(np.linalg.norm(off)) / norm if norm else 0.0,
        deviation=_median(off),
        empty_deviation=_median(np.abs(wanted)),
        limit=first_moment_limit(count, subsets.pair.entries),
    )


def _median(deviations: FloatArray) -> float:
    return float(np.median(deviations.max(axis=1))) if deviations.size else 0.0
