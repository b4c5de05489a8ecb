"""A plain subset-sum search for the tests of everything around it: single flips until none helps."""

from __future__ import annotations

import numpy as np


def flip_until_none_helps(candidates: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return subsets (problems, n), each a local optimum of the sum of squares under single flips."""
    chosen = np.zeros(candidates.shape[:2], dtype=bool)
    norms = (candidates**2).sum(axis=2)
    every = np.arange(candidates.shape[0])
    for _ in range(20 * candidates.shape[1]):
        residual = targets - (chosen[:, :, None] * candidates).sum(axis=1)
        sign = np.where(chosen, -1.0, 1.0)
        change = norms - 2.0 * sign * np.einsum("pnd,pd->pn", candidates, residual)
        best = change.argmin(axis=1)
        better = change[every, best] < -1e-12
        if not better.any():
            break
        chosen[every[better], best[better]] ^= True
    return chosen
