"""Scalings of inputs and outputs, ``scaled = (value - offset) / factor``, as arrays or scikit-learn scalers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from netopt.arrays import FloatArray
from netopt.errors import InputError
from netopt.network.sklearn_reader import read_scaler


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """``scaled = (value - offset) / factor``, both (size,)."""

    offset: FloatArray
    factor: FloatArray

    def scale(self, values: FloatArray) -> FloatArray:
        """Return what the network sees (inputs), entry by entry of the last axis."""
        return (values - self.offset) / self.factor

    def unscale(self, scaled: FloatArray) -> FloatArray:
        """Return the user's units."""
        return scaled * self.factor + self.offset


def read_scaling(scaling: Any, size: int, side: str) -> Scaling:
    """Return a scaling from None, a pair (offset, factor), a `Scaling` or a fitted scikit-learn scaler.

    Raises
    ------
    InputError
        The scaler is unknown, not fitted, clips, or has another size; a factor is zero or not finite.
    """
    if scaling is None:
        return Scaling(np.zeros(size), np.ones(size))
    offset: ArrayLike
    factor: ArrayLike
    if isinstance(scaling, Scaling):
        offset, factor = scaling.offset, scaling.factor
    elif type(scaling).__module__.split(".")[0] == "sklearn":
        offset, factor = _from_sklearn(scaling, side)
    elif isinstance(scaling, tuple | list) and len(scaling) == 2:
        offset, factor = scaling
    else:
        raise InputError(
            f"{side} was given a {type(scaling).__name__}; pass (offset, factor) or a fitted scikit-learn scaler"
        )
    return Scaling(_vector(offset, size, side, "offset"), _factor(factor, size, side))


def _vector(values: ArrayLike, size: int, side: str, part: str) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.shape not in ((), (1,), (size,)) or not np.isfinite(array).all():
        raise InputError(f"the {part} of {side} has shape {array.shape}; it needs {size} finite numbers, or one")
    return np.broadcast_to(array, (size,)).copy()


def _factor(values: ArrayLike, size: int, side: str) -> FloatArray:
    factor = _vector(values, size, side, "factor")
    if (factor == 0.0).any():
        raise InputError(f"the factor of {side} is zero at entry {int(np.flatnonzero(factor == 0.0)[0])}; remove it")
    return factor


def _from_sklearn(scaler: Any, side: str) -> tuple[ArrayLike, ArrayLike]:
    """Return (offset, factor) of a fitted scikit-learn scaler."""
    if getattr(scaler, "clip", False):
        raise InputError(f"{side} is a {type(scaler).__name__} that clips, which is not affine; fit it with clip=False")
    try:
        slope, shift = read_scaler(scaler)
    except InputError as error:
        raise InputError(f"{side}: {error}; or pass (offset, factor)") from error
    return -shift / slope, 1.0 / slope
