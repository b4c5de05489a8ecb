"""Array types, and the namespace of an array (NumPy, torch or CuPy) asked of the array itself."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from array_api_compat import array_namespace as _array_namespace
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


def array_namespace(*arrays: Any) -> ModuleType:
    """Return the array-API namespace the arguments share (numpy, torch, cupy)."""
    namespace: ModuleType = _array_namespace(*arrays)
    return namespace
