"""Writer of free MPS files, with SOS1 sets and indicator rows.

A ranged row is written as two rows, and the objective constant as the negative right-hand side of the objective row.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import sparse

from formulations.milp import MilpModel, Sos1Sets
from netopt.solvers.model_text import (
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

_OBJECTIVE = "objective"


def write_mps(model: MilpModel, path: Path) -> None:
    """Write `model` to `path` as a free MPS file.

    Columns and rows keep their names (characters outside ``A-Z a-z 0-9 _ .`` are replaced by ``_``); numbers read back
    to the same float64. Rows without a finite side are left out.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from formulations.milp import MilpBuilder
    >>> from netopt.solvers.mps import write_mps
    >>> builder = MilpBuilder()
    >>> x = builder.add_columns(1, upper=1.0, name="x")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_mps(builder.build(), Path(folder) / "model.mps")
    ...     print((Path(folder) / "model.mps").read_text().splitlines()[0])
    NAME netopt
    """
    rows = file_rows(model)
    columns, names = strings(column_names(model)), strings(row_names(model, rows, frozenset({_OBJECTIVE})))
    with path.open("wb") as file:
        write(file, "NAME netopt\n")
        if model.maximize:
            write(file, "OBJSENSE\n    MAX\n")
        write(file, f"ROWS\n N {_OBJECTIVE}\n", lines(" ", strings(rows.sense.tolist()), " ", names, "\n"))
        write(file, "COLUMNS\n", _columns(model, rows.matrix, columns, names), "RHS\n")
        if model.objective_constant:
            write(file, lines(f" RHS {_OBJECTIVE} ", numbers(np.array([-model.objective_constant])), "\n"))
        shifted = np.flatnonzero(rows.rhs)
        write(file, lines(" RHS ", take(names, shifted), " ", numbers(rows.rhs[shifted]), "\n"))
        write(file, "BOUNDS\n", _bounds(model, columns))
        if model.sos1 is not None:
            write(file, "SOS\n", _sos1(model.sos1, columns))
        switched = np.flatnonzero(rows.switched)
        if switched.size:
            value = strings(np.where(rows.active[switched], "1", "0").tolist())
            binary = take(columns, rows.binary[switched])
            write(file, "INDICATORS\n", lines(" IF ", take(names, switched), " ", binary, " ", value, "\n"))
        write(file, "ENDATA\n")


def _columns(model: MilpModel, matrix: sparse.csr_array, columns: Strings, names: Strings) -> Strings:
    """Return the entries column by column, with a marker before each run of integral or continuous columns."""
    by_column = matrix.tocsc()
    size = np.diff(by_column.indptr)
    # A column with no entry at all has to appear too: it gets its zero in the objective.
    priced = np.flatnonzero((model.objective != 0.0) | (size == 0))
    owner = np.repeat(np.arange(size.size), size)
    costs = lines(" ", take(columns, priced), f" {_OBJECTIVE} ", numbers(model.objective[priced]), "\n")
    entries = lines(
        " ",
        take(columns, owner),
        " ",
        take(names, by_column.indices.astype(np.int64)),
        " ",
        numbers(by_column.data),
        "\n",
    )
    change = np.flatnonzero(np.diff(model.integral, prepend=False, append=False))
    kind = ["INTORG" if k % 2 == 0 else "INTEND" for k in range(change.size)]
    markers = strings([f" MARKER{k} 'MARKER' '{word}'\n" for k, word in enumerate(kind)])
    return interleave((markers, change), (costs, priced), (entries, owner))


def _bounds(model: MilpModel, columns: Strings) -> Strings:
    """Return both bounds of every column that does not have the default ones, the lower bound first."""
    lower, upper, integral = model.column_lower, model.column_upper, model.integral
    every = np.arange(lower.size)
    is_fixed, is_free = lower == upper, np.isneginf(lower) & np.isposinf(upper)
    is_binary = integral & (lower == 0.0) & (upper == 1.0)  # some readers switch rows by columns marked binary only
    fixed, free, binary = every[is_fixed], every[is_free], every[is_binary]
    rest = every[~(is_fixed | is_free | is_binary)]
    # Readers differ in the lower bound they assume beside a negative upper one, and in the upper bound of integers.
    low = rest[np.isfinite(lower[rest]) & ((lower[rest] != 0.0) | np.isfinite(upper[rest]) | integral[rest])]
    open_low = rest[np.isneginf(lower[rest])]
    high = rest[np.isfinite(upper[rest])]
    open_high = rest[np.isposinf(upper[rest]) & integral[rest]]
    # Every line gets a value, also where it means nothing: CBC tells the format by the first line's fields.
    return interleave(
        (lines(" FX BND ", take(columns, fixed), " ", numbers(lower[fixed]), "\n"), fixed),
        (lines(" FR BND ", take(columns, free), " 0\n"), free),
        (lines(" BV BND ", take(columns, binary), " 1\n"), binary),
        (lines(" MI BND ", take(columns, open_low), " 0\n"), open_low),
        (lines(" LO BND ", take(columns, low), " ", numbers(lower[low]), "\n"), low),
        (lines(" UP BND ", take(columns, high), " ", numbers(upper[high]), "\n"), high),
        (lines(" PL BND ", take(columns, open_high), " 0\n"), open_high),
    )


def _sos1(sets: Sos1Sets, columns: Strings) -> Strings:
    heads = strings([f" S1 set.{k}\n" for k in range(sets.count)])
    members = lines("    ", take(columns, sets.columns), " ", numbers(sets.weights), "\n")
    owner = np.repeat(np.arange(sets.count), np.diff(sets.start))
    return interleave((heads, np.arange(sets.count)), (members, owner))
