"""SCIP's own C functions for whole blocks of columns and rows, from the library that PySCIPOpt is linked with.

PySCIPOpt has no call that takes arrays. On 480 000 coefficients its expressions took 1.7 s, a file written and read
back 0.7 s, one C call a row 0.014 s. The functions called here are of SCIP's public C interface.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from formulations.milp import IndicatorRows, Sos1Sets
from netopt.arrays import BoolArray, FloatArray
from netopt.errors import SolverFailureError

#: Addresses of SCIP variables, one a column.
Pointers = NDArray[np.uint64]

_POINTER, _REAL, _INT, _NAME = ctypes.c_void_p, ctypes.c_double, ctypes.c_int, ctypes.c_char_p
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "SCIPcreateVarBasic": (_POINTER, _POINTER, _NAME, _REAL, _REAL, _REAL, _INT),
    "SCIPaddVar": (_POINTER, _POINTER),
    "SCIPreleaseVar": (_POINTER, _POINTER),
    "SCIPgetNegatedVar": (_POINTER, _POINTER, _POINTER),
    "SCIPcreateConsBasicLinear": (_POINTER, _POINTER, _NAME, _INT, _POINTER, _POINTER, _REAL, _REAL),
    "SCIPcreateConsBasicSOS1": (_POINTER, _POINTER, _NAME, _INT, _POINTER, _POINTER),
    "SCIPcreateConsBasicIndicator": (_POINTER, _POINTER, _NAME, _POINTER, _INT, _POINTER, _POINTER, _REAL),
    "SCIPaddCons": (_POINTER, _POINTER),
    "SCIPreleaseCons": (_POINTER, _POINTER),
    "SCIPcreateSol": (_POINTER, _POINTER, _POINTER),
    "SCIPsetSolVals": (_POINTER, _POINTER, _INT, _POINTER, _POINTER),
    "SCIPaddSolFree": (_POINTER, _POINTER, _POINTER),
    "SCIPgetSolVals": (_POINTER, _POINTER, _INT, _POINTER, _POINTER),
}
_OKAY = 1
_BINARY, _INTEGER, _CONTINUOUS = 0, 1, 3
_INFINITY = 1e20


def _check(code: int, function: Any, arguments: tuple[Any, ...]) -> int:
    if code != _OKAY:
        raise SolverFailureError(f"SCIP's {function.__name__} failed with code {code}")
    return code


@lru_cache(maxsize=1)
def _library() -> Any:
    """Return SCIP's functions; a symbol asked of PySCIPOpt's extension is looked up in the SCIP it is linked with."""
    import pyscipopt

    library = ctypes.PyDLL(pyscipopt.scip.__file__)
    for name, arguments in _SIGNATURES.items():
        function = getattr(library, name)
        function.argtypes, function.restype, function.errcheck = arguments, _INT, _check
    library.SCIPgetBestSol.argtypes, library.SCIPgetBestSol.restype = (_POINTER,), _POINTER
    library.SCIPgetNSols.argtypes, library.SCIPgetNSols.restype = (_POINTER,), _INT
    return library


def _address(array: NDArray[Any], offset: int = 0) -> int:
    return int(array.ctypes.data) + 8 * offset


class ScipProblem:
    """The problem inside a ``pyscipopt.Model``, written in blocks; the caller keeps the model alive.

    Columns are named by `Pointers`: those that `add_columns` returns, or ``variable.ptr()`` of PySCIPOpt's variables.
    """

    def __init__(self, scip: Any) -> None:
        get = ctypes.pythonapi.PyCapsule_GetPointer
        get.argtypes, get.restype = (ctypes.py_object, ctypes.c_char_p), _POINTER
        self._scip = get(scip.to_ptr(False), b"scip")

    def add_columns(
        self,
        lower: FloatArray,
        upper: FloatArray,
        objective: FloatArray,
        integral: BoolArray,
        names: Sequence[str] | None = None,
    ) -> Pointers:
        """Append columns and return their addresses; integral ones within [0, 1] are binaries."""
        library = _library()
        kind = np.where(integral, np.where((lower >= 0.0) & (upper <= 1.0), _BINARY, _INTEGER), _CONTINUOUS)
        pointers = np.zeros(lower.size, dtype=np.uint64)
        variable = _POINTER()
        reference = ctypes.byref(variable)
        values = zip(_clipped(lower), _clipped(upper), objective.tolist(), kind.tolist(), strict=True)
        for column, (low, high, cost, type_) in enumerate(values):
            name = names[column].encode() if names is not None else b""
            library.SCIPcreateVarBasic(self._scip, reference, name, low, high, cost, type_)
            library.SCIPaddVar(self._scip, variable)
            pointers[column] = variable.value or 0
            library.SCIPreleaseVar(self._scip, reference)  # the problem keeps its own reference
        return pointers

    def add_rows(
        self,
        columns: Pointers,
        matrix: sparse.csr_array,
        lower: FloatArray,
        upper: FloatArray,
        names: Sequence[str] | None = None,
    ) -> None:
        """Append the rows ``lower <= matrix @ x[columns] <= upper``."""
        library = _library()
        variables, values = columns[matrix.indices], np.ascontiguousarray(matrix.data, dtype=np.float64)
        starts = matrix.indptr.tolist()
        for row, (low, high) in enumerate(zip(_clipped(lower), _clipped(upper), strict=True)):
            first, count = starts[row], starts[row + 1] - starts[row]
            at, of = _address(variables, first), _address(values, first)
            name = names[row].encode() if names is not None else b""
            self._add(library.SCIPcreateConsBasicLinear, name, count, at, of, low, high)

    def add_sos1(self, columns: Pointers, sets: Sos1Sets) -> None:
        """Append SOS1 sets."""
        library = _library()
        variables, weights = columns[sets.columns], np.ascontiguousarray(sets.weights)
        for first, last in zip(sets.start[:-1].tolist(), sets.start[1:].tolist(), strict=True):
            at, of = _address(variables, first), _address(weights, first)
            self._add(library.SCIPcreateConsBasicSOS1, b"", last - first, at, of)

    def add_indicators(self, columns: Pointers, rows: IndicatorRows) -> None:
        """Append indicator rows; SCIP knows ``binary = 1`` implies ``<=``, the rest by negation."""
        binary = columns[rows.binary]
        for row in np.flatnonzero(~rows.active).tolist():
            binary[row] = self._negated(int(binary[row]))
        for side, sign in ((rows.upper, 1.0), (-rows.lower, -1.0)):
            finite = np.flatnonzero(np.isfinite(side))
            if finite.size:
                self._add_indicators(columns, binary[finite], sign * rows.matrix[finite], side[finite])

    def _add_indicators(self, columns: Pointers, binary: Pointers, matrix: sparse.csr_array, upper: FloatArray) -> None:
        create = _library().SCIPcreateConsBasicIndicator
        variables, values, starts = columns[matrix.indices], np.ascontiguousarray(matrix.data), matrix.indptr.tolist()
        for row, (switch, high) in enumerate(zip(binary.tolist(), upper.tolist(), strict=True)):
            first, count = starts[row], starts[row + 1] - starts[row]
            self._add(create, b"", switch, count, _address(variables, first), _address(values, first), high)

    def _negated(self, variable: int) -> int:
        negated = _POINTER()
        _library().SCIPgetNegatedVar(self._scip, variable, ctypes.byref(negated))
        return int(negated.value or 0)

    def _add(self, create: Any, name: bytes, *arguments: float) -> None:
        """Create a constraint, hand it to the problem and let go of it."""
        library = _library()
        constraint = _POINTER()
        reference = ctypes.byref(constraint)
        create(self._scip, reference, name, *arguments)
        library.SCIPaddCons(self._scip, constraint)
        library.SCIPreleaseCons(self._scip, reference)

    def add_start(self, columns: Pointers, values: FloatArray) -> None:
        """Offer a solution to start from; SCIP drops it silently when it is infeasible."""
        library = _library()
        solution, stored, values = _POINTER(), ctypes.c_uint(), np.ascontiguousarray(values)
        library.SCIPcreateSol(self._scip, ctypes.byref(solution), None)
        library.SCIPsetSolVals(self._scip, solution, columns.size, _address(columns), _address(values))
        library.SCIPaddSolFree(self._scip, ctypes.byref(solution), ctypes.byref(stored))

    def best_point(self, columns: Pointers) -> FloatArray | None:
        """Return the values of `columns` in the best solution, or None without one."""
        library = _library()
        if library.SCIPgetNSols(self._scip) == 0:
            return None
        values = np.empty(columns.size)
        best = library.SCIPgetBestSol(self._scip)
        library.SCIPgetSolVals(self._scip, best, columns.size, _address(columns), _address(values))
        return values


def _clipped(values: FloatArray) -> list[float]:
    """Return bounds with SCIP's infinity."""
    clipped: list[float] = np.clip(values, -_INFINITY, _INFINITY).tolist()
    return clipped
