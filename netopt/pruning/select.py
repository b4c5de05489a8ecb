"""Keeping the best: exact counts, ties by position."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from netopt.arrays import BoolArray, FloatArray

#: A rate times a count that is a whole number up to rounding is that number: 0.29 * 100 removes 29.
_ROUNDING = 1e-9
#: Share of its layerwise number of weights that a map keeps when all maps are compared: none is emptied.
_SHARE = 0.2


def count_removed(rate: float, size: int) -> int:
    """Return how many of `size` things a rate removes: ``floor(rate * size)``, so that never all go."""
    return math.floor(rate * size + _ROUNDING)


def keep_best(scores: FloatArray, removed: int) -> BoolArray:
    """Return True for all but the `removed` lowest scores; of equal ones the first are kept. Shaped like `scores`."""
    flat = scores.ravel()
    if removed <= 0:
        return np.ones(scores.shape, dtype=bool)
    if removed >= flat.size:
        return np.zeros(scores.shape, dtype=bool)
    threshold = np.partition(flat, removed)[removed]  # the lowest score kept
    kept = flat > threshold
    ties = np.flatnonzero(flat == threshold)
    kept[ties[: flat.size - removed - int(np.count_nonzero(kept))]] = True
    shaped: BoolArray = kept.reshape(scores.shape)
    return shaped


def keep_layerwise(scores: Mapping[str, FloatArray], rate: float) -> dict[str, BoolArray]:
    """Remove the lowest scores of every map, each at the same rate."""
    return {key: keep_best(value, count_removed(rate, value.size)) for key, value in scores.items()}


def keep_globally(scores: Mapping[str, FloatArray], rate: float) -> dict[str, BoolArray]:
    """Remove the lowest scores of all maps together; every map keeps at least `_SHARE` of what it would layerwise."""
    sizes = [value.size for value in scores.values()]
    raised = []
    for value in scores.values():
        layerwise = value.size - count_removed(rate, value.size)
        safe = keep_best(value, value.size - max(1, math.floor(_SHARE * layerwise)))
        raised.append(np.where(safe, np.inf, value).ravel())
    kept = keep_best(np.concatenate([np.empty(0), *raised]), count_removed(rate, sum(sizes)))
    parts = np.split(kept, np.cumsum(sizes)[:-1])
    return {key: part.reshape(value.shape) for part, (key, value) in zip(parts, scores.items(), strict=True)}


def scaled(scores: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Return the scores of each map divided by their root mean square, so that maps of all scales compare."""
    result = {}
    for key, value in scores.items():
        largest = float(value.max(initial=0.0))
        unit = value / largest if largest > 0.0 else value
        size = float(np.sqrt(np.square(unit).mean())) if unit.size else 1.0
        result[key] = unit / size if size > 0.0 else unit
    return result
