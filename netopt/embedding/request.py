"""The x and y of one call, read and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netopt.arrays import FloatArray
from netopt.checks import as_numbers, check_kind
from netopt.embedding.adapter import ModelAdapter
from netopt.embedding.entries import input_entries, output_entries
from netopt.embedding.forms import AffineForms, affine_forms
from netopt.embedding.inputs import InputRow, input_row
from netopt.embedding.trust_region import TrustRegion
from netopt.errors import InputError
from netopt.network.network import Network
from netopt.specification.box import Box


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What the user asked to tie together.

    Attributes
    ----------
    variables : every variable of the user's that x or y mentions, once.
    rows : the rows of x.
    inputs : all entries of x, row after row, over `variables`.
    outputs : all entries of y likewise, None when the outputs are to be created.
    output_size : entries of y a row.
    vector : x was given as a vector.
    entry_lower, entry_upper : (rows, n) what bounds the entries of x beside their variables.
    """

    variables: tuple[Any, ...]
    rows: tuple[InputRow, ...]
    inputs: AffineForms
    outputs: AffineForms | None
    output_size: int
    vector: bool
    entry_lower: FloatArray
    entry_upper: FloatArray

    def output_row(self, row: int) -> AffineForms | None:
        """Return the entries of one row of y."""
        if self.outputs is None:
            return None
        return self.outputs.rows(row * self.output_size, (row + 1) * self.output_size)


def read_request(
    adapter: ModelAdapter, network: Network, x: Any, y: Any, input_bounds: Any, trust_region: TrustRegion | None
) -> Request:
    """Return x and y over the model's variables, with the domain of every row.

    Raises
    ------
    InputError
        A shape, an entry, or the range of an entry cannot be used.
    """
    size = network.input_size
    inputs, vector = input_entries(x, size, adapter.unpack)
    count = inputs.shape[0]
    outputs: Sequence[Any] = ()
    if y is not None:
        outputs = output_entries(y, count, network.output_size, adapter.unpack).ravel().tolist()
    forms = affine_forms([*inputs.ravel().tolist(), *outputs], adapter.split, adapter.key)
    bounds = adapter.bounds(forms.variables)
    lower, upper = _entry_bounds(input_bounds, trust_region, inputs.shape)
    rows = [input_row(forms.rows(k * size, (k + 1) * size), bounds, lower[k], upper[k], k) for k in range(count)]
    return Request(
        variables=forms.variables,
        rows=tuple(rows),
        inputs=forms.rows(0, inputs.size),
        outputs=None if y is None else forms.rows(inputs.size, inputs.size + len(outputs)),
        output_size=network.output_size,
        vector=vector,
        entry_lower=lower,
        entry_upper=upper,
    )


def _entry_bounds(
    input_bounds: Any, trust_region: TrustRegion | None, shape: tuple[int, ...]
) -> tuple[FloatArray, FloatArray]:
    """Return what bounds the entries of x beside their variables, (rows, n) each, infinite where nothing does."""
    lower, upper = np.full(shape, -np.inf), np.full(shape, np.inf)
    if isinstance(input_bounds, Box):
        input_bounds = (input_bounds.lower, input_bounds.upper)
    if input_bounds is not None:
        if not isinstance(input_bounds, tuple | list) or len(input_bounds) != 2:
            raise InputError("input_bounds must be a pair (lower, upper) or a Box")
        lower = np.maximum(lower, _fitted(input_bounds[0], shape, "input_bounds"))
        upper = np.minimum(upper, _fitted(input_bounds[1], shape, "input_bounds"))
    if trust_region is not None:
        check_kind(trust_region, TrustRegion, "trust_region", "give a DataBox or a DataHull of points")
        lower = np.maximum(lower, _fitted(trust_region.lower, shape, "trust_region"))
        upper = np.minimum(upper, _fitted(trust_region.upper, shape, "trust_region"))
    return lower, upper


def _fitted(values: Any, shape: tuple[int, ...], keyword: str) -> FloatArray:
    array = as_numbers(values, keyword)
    if array.shape not in ((), shape[1:], shape) or np.isnan(array).any():
        raise InputError(f"{keyword} has bounds of shape {array.shape}; they need one number, {shape[1:]} or {shape}")
    return np.broadcast_to(array, shape)
