"""Steps of a descent: Adam's, and those of weights that sum to one."""

from __future__ import annotations

import math

import numpy as np

from netopt.arrays import FloatArray
from netopt.bounds.parts import SingleArray

#: Adam's decay rates, its first step, and what every further step is shorter by.
DECAY, SQUARE_DECAY, _STEP, _SHORTER = 0.9, 0.95, 0.2, 0.95


def length(step: int) -> float:
    """Return how long step number 0, 1, ... is."""
    return _STEP * _SHORTER**step


def adam(mean: SingleArray, square: SingleArray, gradient: SingleArray, step: int) -> SingleArray:
    """Return Adam's step, and note the gradient in its averages."""
    gradient[~np.isfinite(gradient)] = 0.0
    mean *= DECAY
    mean += (1.0 - DECAY) * gradient
    square *= SQUARE_DECAY
    square += (1.0 - SQUARE_DECAY) * gradient * gradient
    root = np.sqrt(square)
    moved: SingleArray = np.divide(mean, root, out=np.zeros_like(mean), where=root > 0.0)
    moved *= adam_length(step)
    return moved


def adam_length(step: int) -> float:
    """Return what Adam's quotients are multiplied by: the length of the step, and the corrections of young averages."""
    return length(step) * math.sqrt(1.0 - SQUARE_DECAY ** (step + 1)) / (1.0 - DECAY ** (step + 1))


def towards_smallest(weight: FloatArray, rows: SingleArray, size: float) -> FloatArray:
    """Return weights moved against the rows' values and projected back onto the simplex, (p, width).

    Notes
    -----
    Duchi, Shalev-Shwartz, Singer, Chandra, *Efficient projections onto the l1-ball* (ICML 2008).
    """
    present = np.isfinite(rows)
    value = np.where(present, rows, 0.0).astype(np.float64)
    value = value - (weight * value).sum(axis=1, keepdims=True)
    largest = np.abs(value * present).max(axis=1, keepdims=True)
    change = size * np.divide(value, largest, out=np.zeros_like(value), where=largest > 0.0)
    moved = np.where(present, weight - change, -np.inf)
    ordered = -np.sort(-moved, axis=1)
    with np.errstate(invalid="ignore"):
        shift = (np.cumsum(ordered, axis=1) - 1.0) / np.arange(1, moved.shape[1] + 1)
        last = (ordered > shift).sum(axis=1) - 1
    projected: FloatArray = np.maximum(moved - shift[np.arange(len(moved)), last][:, None], 0.0)
    return projected
