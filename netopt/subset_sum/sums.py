"""Sums of vectors, many problems at once."""

from __future__ import annotations

from typing import Any

import numpy as np


def sums_of(vectors: Any, shares: Any) -> Any:
    """Return the sum of each problem's vectors, (p, n, D), times shares or of a subset, (p, n): (p, D) float64."""
    return (shares[:, None].astype(np.float64) @ vectors)[:, 0]
