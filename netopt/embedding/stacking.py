"""Copies of fragments, one a row of x, joined into one insertion on the user's variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from formulations.milp import IndicatorRows, MilpModel, NameBlock, Sos1Sets
from netopt.arrays import BoolArray, IntArray
from netopt.embedding.adapter import Insertion
from netopt.embedding.fragment import Fragment

#: Where each column of a fragment went.
Mapping = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """A fragment standing on some of the user's variables.

    Attributes
    ----------
    fragment : may be shared by several copies.
    variables : positions of the user's variables, one for each of `Fragment.given`.
    """

    fragment: Fragment
    variables: IntArray


def stack(copies: Sequence[Copy], variables: tuple[object, ...], name: str) -> tuple[Insertion, list[Mapping]]:
    """Return the insertion of all copies and, for each, where the columns of its fragment went."""
    mappings, count = list[Mapping](), len(variables)
    for copy in copies:
        mapping = np.empty(copy.fragment.model.column_count, dtype=np.int32)
        new = _new_columns(copy.fragment)
        mapping[copy.fragment.given] = copy.variables
        mapping[new] = np.arange(count, count + int(new.sum()))
        count += int(new.sum())
        mappings.append(mapping)
    models = [copy.fragment.model for copy in copies]
    kept = [_new_columns(copy.fragment) for copy in copies]
    free = np.full(len(variables), np.inf)
    column_blocks, row_blocks = _names(copies, kept)
    model = MilpModel(
        objective=np.zeros(count),
        objective_constant=0.0,
        maximize=False,
        matrix=_stack_matrices([model.matrix for model in models], mappings, count),
        row_lower=np.concatenate([model.row_lower for model in models]),
        row_upper=np.concatenate([model.row_upper for model in models]),
        column_lower=np.concatenate([-free, *(m.column_lower[k] for m, k in zip(models, kept, strict=True))]),
        column_upper=np.concatenate([free, *(m.column_upper[k] for m, k in zip(models, kept, strict=True))]),
        integral=np.concatenate([free < 0.0, *(m.integral[k] for m, k in zip(models, kept, strict=True))]),
        sos1=_stack_sos1(models, mappings),
        indicators=_stack_indicators(models, mappings, count),
        column_blocks=(NameBlock("given", np.arange(len(variables))), *column_blocks),
        row_blocks=row_blocks,
    )
    return Insertion(variables, model, name), mappings


def _new_columns(fragment: Fragment) -> BoolArray:
    new = np.ones(fragment.model.column_count, dtype=bool)
    new[fragment.given] = False
    return new


def _stack_matrices(
    matrices: Sequence[sparse.csr_array], mappings: Sequence[Mapping], columns: int
) -> sparse.csr_array:
    """Return the matrices one below the other, their columns moved."""
    if len(matrices) == 1 and np.array_equal(mappings[0], np.arange(columns)):  # the usual case: nothing moves
        return matrices[0]
    starts = np.cumsum([0] + [matrix.nnz for matrix in matrices])
    pointer = np.concatenate([[0]] + [m.indptr[1:] + first for m, first in zip(matrices, starts[:-1], strict=True)])
    indices = np.concatenate([mapping[m.indices] for m, mapping in zip(matrices, mappings, strict=True)])
    data = np.concatenate([matrix.data for matrix in matrices])
    return sparse.csr_array((data, indices, pointer), shape=(pointer.size - 1, columns))


def _stack_sos1(models: Sequence[MilpModel], mappings: Sequence[Mapping]) -> Sos1Sets | None:
    parts = [(m.sos1, mapping) for m, mapping in zip(models, mappings, strict=True) if m.sos1 is not None]
    if not parts:
        return None
    sizes = np.concatenate([np.diff(sets.start) for sets, _ in parts])
    columns = np.concatenate([mapping[sets.columns] for sets, mapping in parts]).astype(np.int64)
    start = np.concatenate([[0], np.cumsum(sizes)])
    return Sos1Sets(start, columns, np.concatenate([sets.weights for sets, _ in parts]))


def _stack_indicators(models: Sequence[MilpModel], mappings: Sequence[Mapping], columns: int) -> IndicatorRows | None:
    parts = [(m.indicators, mapping) for m, mapping in zip(models, mappings, strict=True) if m.indicators is not None]
    if not parts:
        return None
    return IndicatorRows(
        binary=np.concatenate([mapping[rows.binary] for rows, mapping in parts]).astype(np.int64),
        active=np.concatenate([rows.active for rows, _ in parts]),
        matrix=_stack_matrices([rows.matrix for rows, _ in parts], [mapping for _, mapping in parts], columns),
        lower=np.concatenate([rows.lower for rows, _ in parts]),
        upper=np.concatenate([rows.upper for rows, _ in parts]),
    )


def _names(copies: Sequence[Copy], kept: Sequence[BoolArray]) -> tuple[tuple[NameBlock, ...], tuple[NameBlock, ...]]:
    """Return the names of the new columns and of the rows; several copies are told apart by their row of x."""
    columns, rows = [], []
    for k, (copy, new) in enumerate(zip(copies, kept, strict=True)):
        prefix = f"row{k}." if len(copies) > 1 else ""
        first = 0
        for block in copy.fragment.model.column_blocks:
            size = len(block.index)
            index = block.index[new[first : first + size]]
            first += size
            if index.size:
                columns.append(NameBlock(prefix + block.prefix, index))
        rows += [NameBlock(prefix + block.prefix, block.index) for block in copy.fragment.model.row_blocks]
    return tuple(columns), tuple(rows)
