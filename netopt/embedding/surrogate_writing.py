"""The linear part with all networks written into it, dense or sparse: the models that solvers get."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from formulations.big_m import BigM
from formulations.formulation import Formulation
from formulations.milp import MilpModel
from netopt.arrays import FloatArray
from netopt.embedding.copying import Copier
from netopt.embedding.inputs import InputRow
from netopt.embedding.sparse import SparseOption
from netopt.embedding.stacking import Copy, stack
from netopt.embedding.surrogate_problem import Block, EmbeddedNetwork, EmbeddedProblem


@dataclass(frozen=True, slots=True, eq=False)
class WrittenProblem:
    """A problem whose networks are rows.

    Attributes
    ----------
    model : the columns of the linear part come first.
    blocks : the networks that were written.
    copies : where each was written: its fragment, and the columns its fragment's columns became.
    linear_columns : number of columns of the linear part.
    """

    model: MilpModel
    blocks: tuple[Block, ...]
    copies: tuple[tuple[Copy, NDArray[np.int64]], ...]
    linear_columns: int

    @property
    def binary_count(self) -> int:
        """Number of binaries that networks brought."""
        return sum(copy.fragment.encoding.binary_count for copy, _ in self.copies)

    def start(self, point: FloatArray) -> FloatArray:
        """Return all columns at a point of the linear part whose outputs are those of the networks written here."""
        full = np.zeros(self.model.column_count)
        for block, (copy, place) in zip(self.blocks, self.copies, strict=True):
            values = copy.fragment.encoding.start(block.row.columns_at(point))
            full[place] = values
        full[: self.linear_columns] = point
        return full

    def with_rows(self, matrix: sparse.csr_array, lower: FloatArray, upper: FloatArray) -> MilpModel:
        """Return the model with more rows over the linear part."""
        padded = sparse.csr_array(
            (matrix.data, matrix.indices, matrix.indptr), shape=(matrix.shape[0], self.model.column_count)
        )
        return replace(
            self.model,
            matrix=sparse.csr_array(sparse.vstack([self.model.matrix, padded], format="csr")),
            row_lower=np.concatenate([self.model.row_lower, lower]),
            row_upper=np.concatenate([self.model.row_upper, upper]),
        )


def write_problem(
    problem: EmbeddedProblem, sparse_option: SparseOption | None = None, center: FloatArray | None = None
) -> WrittenProblem:
    """Return the problem with its networks as rows.

    Parameters
    ----------
    sparse_option : how to prune them; None writes them whole, and the model is then exact.
    center : a point of the linear part at which sparse networks agree with the dense ones; None takes the centres of
        their domains.

    Raises
    ------
    InputError
        A network cannot be pruned so.
    formulations.errors.FormulationError
        The formulation cannot write a layer.
    """
    linear = problem.linear
    first, total = linear.column_count, linear.column_count
    models, places, blocks = [linear], [np.arange(first)], list[Block]()
    copies: list[tuple[Copy, NDArray[np.int64]]] = []
    for network in problem.networks:
        recipe = replace(network.recipe, formulation=_exact_formulation(network))
        centers = None if center is None else [_member(row, center) for row in network.request.rows]
        written = Copier(network.network, network.request, network.bounds, recipe, sparse_option, centers).copies()
        insertion, mappings = stack(written, network.request.variables, network.name)
        for k, (copy, mapping) in enumerate(zip(written, mappings, strict=True)):
            copies.append((copy, np.where(mapping >= first, mapping + (total - first), mapping).astype(np.int64)))
            outputs = network.request.output_row(k)
            assert outputs is not None
            blocks.append(
                Block(copy.fragment.encoding.network, network.request.rows[k], outputs, recipe.output_scaling)
            )
        new = np.arange(total, total + insertion.new)
        models.append(insertion.model)
        places.append(np.concatenate([np.arange(first), new]))
        total += insertion.new
    return WrittenProblem(_joined(models, places, total), tuple(blocks), tuple(copies), first)


def _member(row: InputRow, point: FloatArray) -> FloatArray:
    return np.clip(row.columns_at(point), row.lower, row.upper)


def _exact_formulation(network: EmbeddedNetwork) -> Formulation:
    """Return the user's formulation where it is exact and linear rows suffice, so that any solver takes it."""
    formulation = network.recipe.formulation
    return formulation if formulation.exact and not formulation.requires else BigM()


def _joined(models: list[MilpModel], places: list[NDArray[np.int64]], total: int) -> MilpModel:
    """Return the first model with the rows and new columns of the others."""
    linear, first = models[0], models[0].column_count
    blocks = [
        sparse.csr_array((m.matrix.data, place[m.matrix.indices], m.matrix.indptr), shape=(m.row_count, total))
        for m, place in zip(models, places, strict=True)
    ]
    new = models[1:]
    return replace(
        linear,
        objective=np.concatenate([linear.objective, np.zeros(total - first)]),
        matrix=sparse.csr_array(sparse.vstack(blocks, format="csr")),
        row_lower=np.concatenate([m.row_lower for m in models]),
        row_upper=np.concatenate([m.row_upper for m in models]),
        column_lower=np.concatenate([linear.column_lower, *(m.column_lower[first:] for m in new)]),
        column_upper=np.concatenate([linear.column_upper, *(m.column_upper[first:] for m in new)]),
        integral=np.concatenate([linear.integral, *(m.integral[first:] for m in new)]),
        column_blocks=(),
        row_blocks=(),
    )
