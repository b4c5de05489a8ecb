"""Array types, and ``scipy.sparse`` loaded when it is first used.

Loading ``scipy.sparse`` takes as long as all of numpy, and most calls never need it. Modules that such calls load write
``from netopt.arrays import sparse`` for ``from scipy import sparse``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


class LazyModule:
    """A module that is imported when one of its names is first used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        """Return a name of the module, and keep it."""
        value = getattr(import_module(self._name), name)
        setattr(self, name, value)
        return value


if TYPE_CHECKING:
    from scipy import sparse
else:
    sparse = LazyModule("scipy.sparse")

__all__ = ["BoolArray", "FloatArray", "IntArray", "LazyModule", "sparse"]
