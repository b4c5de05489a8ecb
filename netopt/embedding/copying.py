"""Fragments of a network for the rows of x: one for all rows that have equal domains, dense or sparse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.bounds.preactivation import PreactivationBounds
from netopt.embedding.folding import fold_inputs, fold_mask
from netopt.embedding.forms import AffineForms
from netopt.embedding.fragment import Fragment, Recipe, build_fragment, fragment_variables
from netopt.embedding.inputs import InputRow
from netopt.embedding.request import Request
from netopt.embedding.sparse import SparseOption, sparsify
from netopt.embedding.stacking import Copy
from netopt.network.network import Network
from netopt.pruning.mask import Mask
from netopt.pruning.registry import saved_path
from netopt.specification.box import Box
from netopt.tightening.levels import tighten


class Copier:
    """Writes one fragment for all rows of x that have equal domains.

    Parameters
    ----------
    network : reads x in its own units.
    request : the rows of x and y.
    bounds : level of the bounds, or bounds of `network` computed before.
    recipe : what all copies share.
    sparse : how to prune the network, None to write it whole.
    centers : a row of x -> where its surrogate must agree with the network, in the columns w of the row; None takes the
        centres of the domains.
    """

    def __init__(
        self,
        network: Network,
        request: Request,
        bounds: str | PreactivationBounds,
        recipe: Recipe,
        sparse: SparseOption | None = None,
        centers: Sequence[FloatArray] | None = None,
    ) -> None:
        self.network, self.request, self.bounds, self.recipe = network, request, bounds, recipe
        self.sparse, self.centers = sparse, centers
        self.fragments: dict[tuple[bytes, ...], Fragment] = {}
        path = saved_path(sparse.method) if sparse is not None and isinstance(sparse.method, str) else None
        self._mask = None if path is None else Mask.load(path)

    def copies(self) -> list[Copy]:
        """Return one copy a row."""
        centers = [None] * len(self.request.rows) if self.centers is None else self.centers
        rows = enumerate(zip(self.request.rows, centers, strict=True))
        return [self._copy(row, self.request.output_row(k), center) for k, (row, center) in rows]

    def _copy(self, row: InputRow, outputs: AffineForms | None, center: FloatArray | None) -> Copy:
        variables = fragment_variables(row, outputs)
        key = row.fingerprint + _output_fingerprint(outputs, variables)
        if center is not None:
            key += (center.tobytes(),)
        if key not in self.fragments:
            self.fragments[key] = self._fragment(row, outputs, center)
        return Copy(self.fragments[key], variables)

    def _fragment(self, row: InputRow, outputs: AffineForms | None, center: FloatArray | None) -> Fragment:
        scaling = self.recipe.input_scaling
        matrix = row.matrix.copy()
        matrix.data = matrix.data / np.repeat(scaling.factor, np.diff(matrix.indptr))
        network = fold_inputs(self.network, matrix, scaling.scale(row.constant))
        domain = Box(row.lower, row.upper)
        if self.sparse is not None:
            option = self.sparse
            if self._mask is not None:
                option = replace(option, method=fold_mask(self._mask, self.network, network, matrix))
            sparse = sparsify(network, domain, self.bounds, option, center)
            return build_fragment(sparse.network, row, sparse.bounds, outputs, self.recipe, sparse)
        bounds = self.bounds if not isinstance(self.bounds, str) else tighten(network, domain, self.bounds)
        return build_fragment(network, row, bounds, outputs, self.recipe)


def _output_fingerprint(outputs: AffineForms | None, variables: IntArray) -> tuple[bytes, ...]:
    """Return what tells apart outputs over `variables`, the user's variables in the fragment's order."""
    if outputs is None:
        return ()
    order = np.argsort(variables)
    local = order[np.searchsorted(variables, outputs.matrix.indices, sorter=order)]
    parts = (outputs.matrix.indptr, local, outputs.matrix.data, outputs.constant)
    return tuple(part.tobytes() for part in parts)
