"""L-infinity robustness as VNN-LIB 1.0, written without netopt: its reader has to meet files it did not write."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CLASSES = 10
DECIMALS = 8


def write_robustness(path: Path, image: NDArray[np.floating], label: int, epsilon: float, comment: str) -> None:
    """Write: some x in [0, 1] within `epsilon` of `image` gives another class a score of at least the `label`'s.

    Parameters
    ----------
    path : file to write; gzip (without a time stamp, so the same bytes each time).
    image : (pixels,) in [0, 1].
    """
    text = "\n".join(_lines(np.asarray(image, dtype=np.float64), label, epsilon, comment)) + "\n"
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def _lines(image: NDArray[np.float64], label: int, epsilon: float, comment: str) -> Iterator[str]:
    lower = np.clip(image - epsilon, 0.0, 1.0)
    upper = np.clip(image + epsilon, 0.0, 1.0)
    yield f"; {comment}"
    yield from (f"(declare-const X_{i} Real)" for i in range(image.size))
    yield from (f"(declare-const Y_{k} Real)" for k in range(CLASSES))
    for i, (low, high) in enumerate(zip(lower, upper, strict=True)):
        yield f"(assert (>= X_{i} {low:.{DECIMALS}f}))"
        yield f"(assert (<= X_{i} {high:.{DECIMALS}f}))"
    others = " ".join(f"(and (>= Y_{k} Y_{label}))" for k in range(CLASSES) if k != label)
    yield f"(assert (or {others}))"
