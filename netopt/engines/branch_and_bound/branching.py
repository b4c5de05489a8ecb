r"""Which ReLU of a part to split: a score from the relaxation picks a few, a trial of each picks one.

The score of a neuron is what its lines add to the part's bound (after Bunel, Lu, Turkaslan, Torr, Kohli, Kumar, *Branch
and bound for piecewise linear neural network verification*, JMLR 2020). The best few are tried: both halves are bounded
with the part's own slopes, without any step, and the neuron with the smallest sum of the two bounds is taken, a half
that is closed counting as if it were barely so (De Palma, Bunel, Desmaison, Dvijotham, Kohli, Torr, Kumar, *Improved
branch and bound for neural network verification via Lagrangian decomposition*, 2021).
"""

from __future__ import annotations

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.bounds.parts import Parts
from netopt.bounds.phases import PhaseBounds

#: Neurons tried a part: more of them make for fewer parts, which take longer.
TRIED = 8
#: No neuron.
NONE = -1


def candidates(parts: Parts, looseness: FloatArray, most: int = TRIED) -> IntArray:
    """Return the free neurons with the highest positive scores, best first, (parts, k); `NONE` where there are fewer.

    Parameters
    ----------
    looseness : (parts, neurons) as in `netopt.bounds.parts.PartBounds`.
    most : neurons a part.
    """
    width = min(most, looseness.shape[1])
    if width == 0:
        return np.full((parts.count, 1), NONE)
    score = np.where(parts.phase == 0, np.nan_to_num(looseness), -np.inf)
    best = np.argpartition(-score, width - 1, axis=1)[:, :width]
    value = np.take_along_axis(score, best, axis=1)
    order = np.argsort(-value, axis=1, kind="stable")
    best, value = np.take_along_axis(best, order, axis=1), np.take_along_axis(value, order, axis=1)
    chosen: IntArray = np.where(value > 0.0, best, NONE)
    return chosen


def choose(bounds: PhaseBounds, parts: Parts, tried: IntArray, enough: FloatArray) -> IntArray:
    """Return the neurons worth a split in each part, best first, (parts, k); all are neurons, the last may repeat.

    Parameters
    ----------
    tried : (parts, k) as `candidates` returns them; the first of each is a neuron.
    enough : (d,) at most this closes an objective over a part.
    """
    count, width = tried.shape
    tried = np.where(tried < 0, tried[:, :1], tried)
    if width == 1:
        return tried
    total = np.empty((count, width))
    step = max(1, bounds.batch // (2 * width))
    for first in range(0, count, step):
        block = slice(first, first + step)
        halves = parts.halves(tried[block].ravel(), np.repeat(np.arange(count)[block], width))
        upper = bounds.estimate(halves, enough).reshape(2, -1, width)
        closed = enough[parts.objective[block], None]
        total[block] = np.maximum(upper, closed).sum(axis=0)
    order = np.argsort(np.where(np.isnan(total), np.inf, total), axis=1, kind="stable")
    return np.take_along_axis(tried, order, axis=1)
