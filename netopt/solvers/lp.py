"""Writer of LP files (the CPLEX format), with SOS1 sets and indicator rows.

A ranged row is written as two rows, and an objective constant as a column fixed at one: some readers take a bare number
in the objective for the name of a column.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from formulations.milp import MilpModel, Sos1Sets
from netopt.arrays import FloatArray, IntArray
from netopt.solvers.model_text import (
    OneSidedRows,
    Strings,
    column_names,
    file_rows,
    interleave,
    lines,
    numbers,
    row_names,
    strings,
    take,
    write,
)

_OBJECTIVE, _CONSTANT = "objective", "objective.constant"


def write_lp(model: MilpModel, path: Path) -> None:
    """Write `model` to `path` as an LP file, one term a line (some readers limit the length of lines).

    Columns and rows keep their names (characters outside ``A-Z a-z 0-9 _ .`` are replaced by ``_``); numbers read back
    to the same float64. Rows without a finite side are left out.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from formulations.milp import MilpBuilder
    >>> from netopt.solvers.lp import write_lp
    >>> builder = MilpBuilder()
    >>> x = builder.add_columns(1, upper=1.0, name="x")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_lp(builder.build(), Path(folder) / "model.lp")
    ...     print((Path(folder) / "model.lp").read_text().splitlines()[0])
    Minimize
    """
    rows = file_rows(model)
    columns = strings(column_names(model, frozenset({_CONSTANT})))
    names = strings(row_names(model, rows, frozenset({_OBJECTIVE})))
    with path.open("wb") as file:
        write(file, "Maximize\n" if model.maximize else "Minimize\n", f" {_OBJECTIVE}:\n")
        priced = np.flatnonzero(model.objective)
        write(file, _terms(model.objective[priced], priced, columns))
        if model.objective_constant:
            write(file, lines("  ", _signed(np.array([model.objective_constant])), f" {_CONSTANT}\n"))
        write(file, "Subject To\n", _rows(rows, columns, names))
        write(file, "Bounds\n", _bounds(model, columns), f" {_CONSTANT} = 1\n" if model.objective_constant else "")
        integral = np.flatnonzero(model.integral)
        if integral.size:
            write(file, "General\n", lines(" ", take(columns, integral), "\n"))
        if model.sos1 is not None:
            write(file, "SOS\n", _sos1(model.sos1, columns))
        write(file, "End\n")


def _signed(values: FloatArray) -> Strings:
    return lines(strings(np.where(values < 0.0, "- ", "+ ").tolist()), numbers(np.abs(values)))


def _terms(values: FloatArray, index: IntArray, columns: Strings) -> Strings:
    return lines("  ", _signed(values), " ", take(columns, index), "\n")


def _rows(rows: OneSidedRows, columns: Strings, names: Strings) -> Strings:
    every = np.arange(rows.rhs.size)
    size = np.diff(rows.matrix.indptr)
    switched = np.flatnonzero(rows.switched)
    value = strings(np.where(rows.active[switched], "1", "0").tolist())
    heads = lines(" ", names, ":\n")
    conditions = lines("  ", take(columns, rows.binary[switched]), " = ", value, " ->\n")
    # A row needs a term to be a row for the readers.
    empty = every[size == 0]
    zeros = lines("  0 ", take(columns, np.zeros_like(empty)), "\n")
    terms = _terms(rows.matrix.data, rows.matrix.indices.astype(np.int64), columns)
    owner = np.repeat(every, size)
    symbols = strings([{"E": "=", "L": "<=", "G": ">="}[sense] for sense in rows.sense.tolist()])
    tails = lines("  ", symbols, " ", numbers(rows.rhs), "\n")
    return interleave((heads, every), (conditions, switched), (zeros, empty), (terms, owner), (tails, every))


def _bounds(model: MilpModel, columns: Strings) -> Strings:
    """Return the bounds of every column that does not have the default ones, zero and infinity."""
    lower, upper = model.column_lower, model.column_upper
    every = np.arange(lower.size)
    fixed = lower == upper
    free = np.isneginf(lower) & np.isposinf(upper)
    capped = every[~fixed & np.isfinite(upper)]
    open_ended = every[np.isfinite(lower) & np.isposinf(upper) & (lower != 0.0)]
    equal, unbounded = np.flatnonzero(fixed), np.flatnonzero(free)
    between = lines(" ", numbers(lower[capped]), " <= ", take(columns, capped), " <= ", numbers(upper[capped]), "\n")
    return interleave(
        (lines(" ", take(columns, equal), " = ", numbers(lower[equal]), "\n"), equal),
        (lines(" ", take(columns, unbounded), " free\n"), unbounded),
        (between, capped),
        (lines(" ", take(columns, open_ended), " >= ", numbers(lower[open_ended]), "\n"), open_ended),
    )


def _sos1(sets: Sos1Sets, columns: Strings) -> Strings:
    heads = strings([f" set.{k}: S1::\n" for k in range(sets.count)])
    members = lines("  ", take(columns, sets.columns), ":", numbers(sets.weights), "\n")
    owner = np.repeat(np.arange(sets.count), np.diff(sets.start))
    return interleave((heads, np.arange(sets.count)), (members, owner))
