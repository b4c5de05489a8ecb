"""The rows of x as domains: which columns each row of inputs lives on, and within which bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from netopt.arrays import FloatArray, IntArray
from netopt.embedding.adapter import VariableBounds
from netopt.embedding.forms import AffineForms
from netopt.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class InputRow:
    """One row of x in the user's units: ``x = matrix @ w + constant``, at most one column of w an entry.

    The columns w are first `variables`, the user's own, then one new column an expression of several variables:
    ``w[k] = expressions @ (all variables) + expression_constant``.

    Attributes
    ----------
    variables : (k,) positions of the user's variables, each once.
    expressions : (e, all variables) CSR.
    expression_constant : (e,).
    matrix : (n, k + e) CSR.
    constant : (n,).
    lower, upper : (k + e,) bounds of w, finite.
    narrowed : (j,) columns of w that are variables whose own bounds are wider than that.
    """

    variables: IntArray
    expressions: sparse.csr_array
    expression_constant: FloatArray
    matrix: sparse.csr_array
    constant: FloatArray
    lower: FloatArray
    upper: FloatArray
    narrowed: IntArray

    def columns_at(self, values: FloatArray) -> FloatArray:
        """Return w where the user's variables take `values`, (batch, all variables) or (all variables,)."""
        expressed = (self.expressions @ values.T).T + self.expression_constant
        return np.concatenate([values[..., self.variables], expressed], axis=-1)

    @property
    def fingerprint(self) -> tuple[bytes, ...]:
        """Equal for rows that differ in their variables only and hold no expressions of several variables."""
        matrix, expressions = self.matrix, self.expressions
        parts = [matrix.indptr, matrix.indices, matrix.data, self.constant, self.lower, self.upper, self.narrowed]
        if expressions.shape[0]:
            parts += [self.variables, expressions.indptr, expressions.indices, expressions.data]
            parts.append(self.expression_constant)
        return tuple(part.tobytes() for part in parts)


def input_row(forms: AffineForms, bounds: VariableBounds, lower: FloatArray, upper: FloatArray, row: int) -> InputRow:
    """Return the entries `forms` of one row, with `lower` and `upper` (n,) what else bounds them (may be infinite).

    Raises
    ------
    InputError
        An entry has no finite range, an empty one, or is a constant outside its bounds.
    """
    counts = np.diff(forms.matrix.indptr)
    single = np.flatnonzero(counts == 1)
    several = np.flatnonzero(counts > 1)
    if not single.size and not several.size:
        several = np.array([0])  # a row of constants keeps one column, fixed by its row
    first = forms.matrix.indptr[:-1][single]
    variables, position = np.unique(forms.matrix.indices[first], return_inverse=True)
    constant = forms.constant.copy()
    constant[several] = 0.0
    matrix = _selection(
        np.concatenate([single, several]),
        np.concatenate([position, variables.size + np.arange(several.size)]),
        np.concatenate([forms.matrix.data[first], np.ones(several.size)]),
        (constant.size, variables.size + several.size),
    )
    expressions, expression_constant = forms.matrix[several], forms.constant[several]
    reach_lower, reach_upper = _interval(expressions, expression_constant, bounds)
    own_lower = np.concatenate([bounds.lower[variables], reach_lower])
    own_upper = np.concatenate([bounds.upper[variables], reach_upper])
    column_lower, column_upper = _intersect(matrix, constant, own_lower, own_upper, lower, upper, row)
    narrower = (column_lower > own_lower) | (column_upper < own_upper)
    return InputRow(
        variables=variables.astype(np.int64),
        expressions=expressions,
        expression_constant=expression_constant,
        matrix=matrix,
        constant=constant,
        lower=column_lower,
        upper=column_upper,
        narrowed=np.flatnonzero(narrower[: variables.size]),
    )


def _selection(rows: IntArray, columns: IntArray, data: FloatArray, shape: tuple[int, int]) -> sparse.csr_array:
    """Return the matrix with at most one entry a row."""
    order = np.argsort(rows, kind="stable")
    pointer = np.zeros(shape[0] + 1, dtype=np.int64)
    pointer[rows + 1] = 1
    return sparse.csr_array((data[order], columns[order], np.cumsum(pointer)), shape=shape)


def _interval(matrix: sparse.csr_array, constant: FloatArray, bounds: VariableBounds) -> tuple[FloatArray, FloatArray]:
    """Return the range of affine expressions; infinite where a variable they hold is."""
    positive, negative = matrix.maximum(0.0), matrix.minimum(0.0)
    lower = _product(positive, bounds.lower) + _product(negative, bounds.upper) + constant
    upper = _product(positive, bounds.upper) + _product(negative, bounds.lower) + constant
    return lower, upper


def _product(matrix: sparse.csr_array, vector: FloatArray) -> FloatArray:
    """Return ``matrix @ vector`` where the vector may be infinite (only stored entries count)."""
    coo = matrix.tocoo()
    result = np.zeros(matrix.shape[0])
    kept = coo.data != 0.0
    np.add.at(result, coo.coords[0][kept], coo.data[kept] * vector[coo.coords[1][kept]])
    return result


def _intersect(
    matrix: sparse.csr_array,
    constant: FloatArray,
    own_lower: FloatArray,
    own_upper: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    row: int,
) -> tuple[FloatArray, FloatArray]:
    """Return the bounds of the columns within their own bounds and within the bounds of the entries."""
    fixed = np.diff(matrix.indptr) == 0
    outside = np.flatnonzero(fixed & ((constant < lower) | (constant > upper)))
    if outside.size:
        k = int(outside[0])
        raise InputError(f"x[{row}, {k}] is the constant {constant[k]:g}, outside [{lower[k]:g}, {upper[k]:g}]")
    entry = np.flatnonzero(~fixed)
    low = (lower[entry] - constant[entry]) / matrix.data
    high = (upper[entry] - constant[entry]) / matrix.data
    column_lower, column_upper = own_lower.copy(), own_upper.copy()
    np.maximum.at(column_lower, matrix.indices, np.minimum(low, high))
    np.minimum.at(column_upper, matrix.indices, np.maximum(low, high))
    _check_range(entry, matrix.indices, column_lower, column_upper, row)
    return column_lower, column_upper


def _check_range(entry: IntArray, column: NDArray[np.int32], lower: FloatArray, upper: FloatArray, row: int) -> None:
    bad = ~(np.isfinite(lower) & np.isfinite(upper))
    remedy = "bound the variable in the model, or pass input_bounds=(lower, upper)"
    if not bad.any():
        bad, remedy = lower > upper, "make the variable's bounds, input_bounds and trust_region overlap"
    if bad.any():
        k = int(np.flatnonzero(bad[column])[0])
        low, high = lower[column[k]], upper[column[k]]
        raise InputError(f"the variable of x[{row}, {int(entry[k])}] has the range [{low:g}, {high:g}]; {remedy}")
