"""What the writers of model files share: readable names every reader takes, one-sided rows, and text made by the block.

Numbers are written with the fewest digits that read back to the same float64 (17 at most).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from scipy import sparse

from formulations.milp import IntArray, MilpModel, NameBlock
from netopt.arrays import BoolArray, FloatArray

#: A pyarrow array of strings.
Strings = Any

_REFUSED = re.compile(r"[^A-Za-z0-9_.]")
#: Beginnings that LP readers take for a number or refuse: no letter, or an exponent such as ``e5``.
_NUMERIC = re.compile(r"[^A-Za-z]|[eE][0-9.]|$")


@dataclass(frozen=True, slots=True, eq=False)
class OneSidedRows:
    """Rows ``matrix @ x`` (``L``: <=, ``G``: >=, ``E``: =) ``rhs``: ranged rows became two, free rows none.

    The linear rows come first, then the indicator rows.

    Attributes
    ----------
    source : the linear or indicator row each comes from.
    repeated : True for the second half of a ranged row.
    switched : True for an indicator row: it holds where column ``binary`` equals ``active``.
    """

    matrix: sparse.csr_array
    sense: np.ndarray[Any, np.dtype[np.str_]]
    rhs: FloatArray
    source: IntArray
    repeated: BoolArray
    switched: BoolArray
    binary: IntArray
    active: BoolArray


def file_rows(model: MilpModel) -> OneSidedRows:
    """Return all rows of a model as one-sided ones, so that no reader has to rebuild a side from a rounded range."""
    source, sense, rhs = _one_sided(model.row_lower, model.row_upper)
    matrix, plain = model.matrix[source], source.size
    binary, active = np.zeros(plain, dtype=np.int64), np.zeros(plain, dtype=bool)
    repeated = np.diff(source, prepend=-1) == 0
    rows = model.indicators
    if rows is not None:
        more, more_sense, more_rhs = _one_sided(rows.lower, rows.upper)
        matrix = sparse.csr_array(sparse.vstack([matrix, rows.matrix[more]], format="csr"))
        source, sense, rhs = np.append(source, more), np.append(sense, more_sense), np.append(rhs, more_rhs)
        repeated = np.append(repeated, np.diff(more, prepend=-1) == 0)
        binary, active = np.append(binary, rows.binary[more]), np.append(active, rows.active[more])
    return OneSidedRows(matrix, sense, rhs, source, repeated, np.arange(source.size) >= plain, binary, active)


def _one_sided(lower: FloatArray, upper: FloatArray) -> tuple[IntArray, np.ndarray[Any, np.dtype[np.str_]], FloatArray]:
    equal = lower == upper
    above, below = np.isfinite(lower) & ~equal, np.isfinite(upper) & ~equal
    parts = [np.flatnonzero(equal), np.flatnonzero(above), np.flatnonzero(below)]
    source = np.concatenate(parts)
    sense = np.repeat(np.array(["E", "G", "L"]), [part.size for part in parts])
    order = np.argsort(source, kind="stable")
    source, sense = source[order], sense[order]
    return source, sense, np.where(sense == "L", upper[source], lower[source])


def column_names(model: MilpModel, reserved: frozenset[str] = frozenset()) -> list[str]:
    """Return a distinct name for every column, of characters every reader takes."""
    return _distinct(_block_names(model.column_blocks, model.column_count, "column"), reserved)


def row_names(model: MilpModel, rows: OneSidedRows, reserved: frozenset[str]) -> list[str]:
    """Return a distinct name for every row; the second half of a ranged row ends in ``.upper``."""
    names = _block_names(model.row_blocks, model.row_count, "row")
    told = zip(rows.source.tolist(), rows.repeated.tolist(), rows.switched.tolist(), strict=True)
    split = [
        (f"indicator.{row}" if switched else names[row]) + (".upper" if again else "") for row, again, switched in told
    ]
    return _distinct(split, reserved)


def _block_names(blocks: Sequence[NameBlock], count: int, fallback: str) -> list[str]:
    names = [name for block in blocks for name in NameBlock(_legal(block.prefix), block.index).names()]
    return names if len(names) == count else [f"{fallback}.{i}" for i in range(count)]


def _legal(prefix: str) -> str:
    """Return `prefix` with the characters replaced that a reader would refuse."""
    replaced = _REFUSED.sub("_", prefix)
    return f"n{replaced}" if _NUMERIC.match(replaced) else replaced


def _distinct(names: list[str], reserved: frozenset[str]) -> list[str]:
    taken = set(names)
    if len(taken) == len(names) and not taken & reserved:
        return names
    seen, copies, result = set(reserved), dict.fromkeys(names, 1), []
    for name in names:
        unique = name
        while unique in seen:
            copies[name] += 1
            unique = f"{name}_{copies[name]}"
        seen.add(unique)
        result.append(unique)
    return result


def strings(values: Sequence[str]) -> Strings:
    """Return `values` as an array of strings."""
    import pyarrow as pa

    return pa.array(values, pa.large_string())


def numbers(values: FloatArray) -> Strings:
    """Return every number in the shortest form that reads back to the same float64."""
    import pyarrow as pa

    return pa.array(np.asarray(values, dtype=np.float64) + 0.0).cast(pa.large_string())


def lines(*parts: Strings | str) -> Strings:
    """Join `parts` element by element; plain strings are the same on every line."""
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = [pa.scalar(part, pa.large_string()) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*whole, pa.scalar("", pa.large_string()))


def take(values: Strings, index: IntArray) -> Strings:
    """Return ``values[index]``."""
    import pyarrow as pa

    return values.take(pa.array(index))


def interleave(*blocks: tuple[Strings, FloatArray | IntArray]) -> Strings:
    """Merge blocks of lines, each with the sort keys of its lines; equal keys keep the order of the blocks."""
    import pyarrow as pa

    keys = np.concatenate([key for _, key in blocks])
    return take(pa.concat_arrays([text for text, _ in blocks]), np.argsort(keys, kind="stable"))


def write(file: IO[bytes], *parts: Strings | str) -> None:
    """Write strings and arrays of strings one after the other."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for part in parts:
        if isinstance(part, str):
            file.write(part.encode("ascii"))
        elif len(part):
            whole = pa.LargeListArray.from_arrays(pa.array([0, len(part)], pa.int64()), part)
            file.write(pc.binary_join(whole, pa.scalar("", pa.large_string()))[0].as_buffer())
