"""Array types, tables of them, the library an array belongs to, and ``scipy.sparse`` loaded when it is first used.

Loading ``scipy.sparse`` takes as long as all of numpy, and most calls never need it. Modules that such calls load write
``from netopt.arrays import sparse`` for ``from scipy import sparse``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Base of frozen dataclasses of arrays, each with one entry along its first axis for each of k things.

    Examples
    --------
    >>> @dataclass(frozen=True, slots=True, eq=False)
    ... class Intervals(Entries):
    ...     lower: FloatArray
    ...     upper: FloatArray
    >>> intervals = Intervals(np.array([0.0, 1.0]), np.array([2.0, 3.0]))
    >>> intervals.take(np.array([1])).then(intervals).upper
    array([3., 2., 3.])
    """

    def take(self, which: IntArray | BoolArray | slice) -> Self:
        """Return some of the entries."""
        return type(self)(*(getattr(self, field.name)[which] for field in fields(self)))

    def then(self, *others: Self) -> Self:
        """Return these entries followed by others."""
        every = (self, *others)
        return type(self)(*(np.concatenate([getattr(one, field.name) for one in every]) for field in fields(self)))


class LazyModule:
    """A module that is imported when one of its names is first used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        """Return a name of the module, and keep it."""
        value = getattr(import_module(self._name), name)
        setattr(self, name, value)
        return value


def array_namespace(*arrays: Any) -> Any:
    """Return the library that arrays belong to: cupy for CuPy's, else numpy.

    Code that asks its arguments runs on either; CuPy is loaded already where an array is CuPy's.

    Raises
    ------
    TypeError
        Some are CuPy's and some are not.

    Examples
    --------
    >>> array_namespace(np.zeros(3)).__name__
    'numpy'
    """
    of_cupy = [type(array).__module__.partition(".")[0] == "cupy" for array in arrays]
    if any(of_cupy) and not all(of_cupy):
        raise TypeError("arrays of CuPy and of NumPy were mixed; move them to one device first")
    return sys.modules["cupy"] if any(of_cupy) else np


if TYPE_CHECKING:
    from scipy import sparse
else:
    sparse = LazyModule("scipy.sparse")

__all__ = ["BoolArray", "Entries", "FloatArray", "IntArray", "LazyModule", "array_namespace", "sparse"]
