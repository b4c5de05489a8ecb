"""One copy of the network as a model of its own, whose first columns stand for the user's variables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from formulations.formulation import Formulation
from formulations.milp import MilpModel
from netopt.arrays import FloatArray, IntArray
from netopt.bounds.preactivation import PreactivationBounds
from netopt.embedding.forms import AffineForms
from netopt.embedding.inputs import InputRow
from netopt.embedding.scaling import Scaling
from netopt.embedding.sparse import SparseNetwork
from netopt.embedding.trust_region import TrustRegion
from netopt.encoding.encode import encode
from netopt.encoding.encoding import Encoding
from netopt.network.network import Network
from netopt.specification.box import Box


@dataclass(frozen=True, slots=True, eq=False)
class Fragment:
    """One copy of the network.

    Attributes
    ----------
    model : the rows and columns; its objective is not used.
    given : columns that stand for variables of the user's.
    outputs : columns created for y, None when the user gave y.
    encoding : where each neuron sits.
    bounds : what the encoding was written with.
    output_lower, output_upper : (m,) bounds of y in the user's units; with a surrogate, they hold for the dense
        network, too.
    region : columns of the trust region.
    sparse : the surrogate that was written and the dense network it stands for; None where the network itself was.
    """

    model: MilpModel
    given: IntArray
    outputs: IntArray | None
    encoding: Encoding
    bounds: PreactivationBounds
    output_lower: FloatArray
    output_upper: FloatArray
    region: IntArray
    sparse: SparseNetwork | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """What all copies of one call share."""

    formulation: Formulation
    input_scaling: Scaling
    output_scaling: Scaling
    trust_region: TrustRegion | None


def build_fragment(
    network: Network,
    row: InputRow,
    bounds: PreactivationBounds,
    outputs: AffineForms | None,
    recipe: Recipe,
    sparse: SparseNetwork | None = None,
) -> Fragment:
    """Return one copy of the network over the inputs `row`.

    Parameters
    ----------
    network : reads the columns w of `row`.
    bounds : of `network` over the box of `row`.
    outputs : what y is in the user's variables, None to create it.
    sparse : where `network` is a surrogate.
    """
    encoding = encode(network, Box(row.lower, row.upper), bounds, recipe.formulation)
    builder = encoding.builder
    others = _other_variables(row, outputs)
    extra = builder.add_columns(others.size, lower=-np.inf, name="given")
    count = row.variables.size
    column_of = np.full(row.expressions.shape[1], -1)
    column_of[row.variables] = encoding.inputs[:count]
    column_of[others] = extra
    _write_inputs(encoding, row, column_of)
    first = builder.column_count
    if recipe.trust_region is not None:
        recipe.trust_region.encode(builder, encoding.inputs, row.matrix, row.constant)
    region = np.arange(first, builder.column_count)
    lower, upper = _output_range(bounds, recipe.output_scaling)
    if sparse is not None:  # bounds of y must not cut off what the dense network answers
        dense_lower, dense_upper = _output_range(sparse.dense_bounds, recipe.output_scaling)
        lower, upper = np.minimum(lower, dense_lower), np.maximum(upper, dense_upper)
    created = _write_outputs(encoding, outputs, column_of, recipe.output_scaling, lower, upper)
    return Fragment(
        model=builder.build(),
        given=np.concatenate([encoding.inputs[:count], extra]),
        outputs=created,
        encoding=encoding,
        bounds=bounds,
        output_lower=lower,
        output_upper=upper,
        region=region,
        sparse=sparse,
    )


def fragment_variables(row: InputRow, outputs: AffineForms | None) -> IntArray:
    """Return the positions of the user's variables in the order of `Fragment.given`."""
    return np.concatenate([row.variables, _other_variables(row, outputs)])


def _other_variables(row: InputRow, outputs: AffineForms | None) -> IntArray:
    """Return the variables that only expressions of x or y mention."""
    mentioned = [row.expressions.indices] + ([] if outputs is None else [outputs.matrix.indices])
    _, first = np.unique(joined := np.concatenate(mentioned).astype(np.int64), return_index=True)
    in_order = joined[np.sort(first)]
    return in_order[~np.isin(in_order, row.variables)]


def _write_inputs(encoding: Encoding, row: InputRow, column_of: IntArray) -> None:
    """Write the rows that keep inputs in the box the bounds hold for, and the expressions among them."""
    builder, narrowed = encoding.builder, row.narrowed
    if narrowed.size:
        builder.add_rows(
            (encoding.inputs[narrowed], 1.0),
            lower=row.lower[narrowed],
            upper=row.upper[narrowed],
            name="input.range",
            index=narrowed,
        )
    if row.expressions.shape[0]:
        used = np.unique(row.expressions.indices)
        builder.add_rows(
            (encoding.inputs[row.variables.size :], 1.0),
            (column_of[used], -row.expressions[:, used]),
            lower=row.expression_constant,
            upper=row.expression_constant,
            name="input.expression",
        )


def _output_range(bounds: PreactivationBounds, scaling: Scaling) -> tuple[FloatArray, FloatArray]:
    low, high = scaling.unscale(bounds.output_lower), scaling.unscale(bounds.output_upper)
    return np.minimum(low, high), np.maximum(low, high)


def _write_outputs(
    encoding: Encoding,
    outputs: AffineForms | None,
    column_of: IntArray,
    scaling: Scaling,
    lower: FloatArray,
    upper: FloatArray,
) -> IntArray | None:
    """Tie y, given or created, to the network's output in the user's units."""
    builder, value = encoding.builder, encoding.output
    matrix = sparse.csr_array(sparse.diags_array(scaling.factor) @ value.matrix)
    constant = scaling.unscale(value.constant)
    created = None
    if outputs is None:
        created = builder.add_columns(constant.size, lower=lower, upper=upper, name="y")
        left: tuple[IntArray, sparse.csr_array | float] = (created, 1.0)
    else:
        used = np.unique(outputs.matrix.indices)
        left = (column_of[used], outputs.matrix[:, used])
        constant = constant - outputs.constant
    builder.add_rows(left, (value.columns, -matrix), lower=constant, upper=constant, name="output")
    return created
