"""Sound upper bounds of linear rows over inputs and outputs, the rows kept coupled through the network."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from netopt.arrays import FloatArray, sparse
from netopt.bounds.backward import Backward, Rows, UpperFunctions
from netopt.bounds.inputs import as_inputs
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.propagation import propagate
from netopt.bounds.relaxation import relax
from netopt.bounds.rounding import TINY, UNIT_ROUNDOFF, gamma, middle_and_radius, sound_upper
from netopt.errors import InputError
from netopt.network.network import INPUT, Network
from netopt.specification.domain import Domain

RowMatrix: TypeAlias = "FloatArray | sparse.csr_array"


def bound_rows(
    network: Network,
    domain: Domain,
    bounds: PreactivationBounds,
    output_matrix: FloatArray,
    input_matrix: RowMatrix | None = None,
    offset: FloatArray | None = None,
    *,
    deadline: float | None = None,
) -> FloatArray:
    """Return sound upper bounds of ``output_matrix @ y + input_matrix @ x + offset`` over the domain, (r,).

    Parameters
    ----------
    bounds : pre-activation bounds of this network over this domain, of any level.
    output_matrix : (r, m).
    input_matrix : (r, n), dense or CSR; None when no row mentions an input.
    offset : (r,) constants added.
    deadline : value of `time.monotonic`; rows that CROWN has not come to by then are bounded by the output's bounds.

    Returns
    -------
    (r,) upper bounds, by CROWN backward from the rows or from the output's bounds, whichever are lower; they hold for
    the exact value and for `Network.forward`.

    Raises
    ------
    InputError
        Shapes do not fit, or the bounds belong to another network.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.bounds.crown import crown_bounds
    >>> from netopt.bounds.rows import bound_rows
    >>> from netopt.network.build import from_weights
    >>> from netopt.specification.box import Box
    >>> network = from_weights([[[1.0], [1.0]], [[1.0, 0.0], [0.0, 1.0]]], [[3.0, 3.0], [0.0, 0.0]])
    >>> box = Box(np.array([-1.0]), np.array([1.0]))
    >>> bounds = crown_bounds(network, box)
    >>> bool(bound_rows(network, box, bounds, np.array([[1.0, -1.0]]))[0] < 1e-9)  # y_0 and y_1 are always equal
    True
    """
    parts = _carried(network, domain, bounds, output_matrix, input_matrix, deadline)
    value = _over_output_box(network, domain, bounds, *check_rows(network, output_matrix, input_matrix))
    by_crown = np.concatenate([np.empty(0), *(part.bound for part in parts)])
    value[: by_crown.size] = np.minimum(value[: by_crown.size], by_crown)
    if offset is None:
        return value
    return value + offset + 2.0 * UNIT_ROUNDOFF * (np.abs(value) + np.abs(offset))


def upper_functions(
    network: Network,
    domain: Domain,
    bounds: PreactivationBounds,
    output_matrix: FloatArray,
    input_matrix: RowMatrix | None = None,
) -> UpperFunctions:
    """Return linear functions of the inputs above the rows ``output_matrix @ y + input_matrix @ x``, and their maxima.

    Parameters and errors are those of `bound_rows`.
    """
    parts = list(_carried(network, domain, bounds, output_matrix, input_matrix))
    if len(parts) == 1:
        return parts[0]
    return UpperFunctions(
        coefficients=np.concatenate([np.empty((0, network.input_size)), *(part.coefficients for part in parts)]),
        constant=np.concatenate([np.empty(0), *(part.constant for part in parts)]),
        bound=np.concatenate([np.empty(0), *(part.bound for part in parts)]),
    )


def _carried(
    network: Network,
    domain: Domain,
    bounds: PreactivationBounds,
    output_matrix: FloatArray,
    input_matrix: RowMatrix | None,
    deadline: float | None = None,
) -> Iterator[UpperFunctions]:
    """Yield linear functions above the rows, block by block, until a value of `time.monotonic`."""
    bounds.require(network)
    state = propagate(network, as_inputs(network, domain), bounds.pairs)
    relaxations = {r.name: relax(state.lower[r.input], state.upper[r.input]) for r in network.relus}
    outputs, inputs = check_rows(network, output_matrix, input_matrix)
    backward = Backward(state, relaxations)
    for first in range(0, outputs.shape[0], backward.block):
        if deadline is not None and time.monotonic() >= deadline:
            return
        block = slice(first, first + backward.block)
        yield backward.run(start_rows(network, outputs[block], None if inputs is None else inputs[block]))


def check_rows(
    network: Network, output_matrix: FloatArray, input_matrix: RowMatrix | None
) -> tuple[FloatArray, RowMatrix | None]:
    """Return the rows checked against the network."""
    outputs = np.asarray(output_matrix, dtype=np.float64)
    if outputs.ndim != 2 or outputs.shape[1] != network.output_size:
        raise InputError(
            f"rows over {network.output_size} outputs need a matrix (rows, {network.output_size}), not {outputs.shape}"
        )
    if input_matrix is not None and input_matrix.shape != (outputs.shape[0], network.input_size):
        wanted = (outputs.shape[0], network.input_size)
        raise InputError(f"the input part of the rows must have shape {wanted}, not {input_matrix.shape}")
    return outputs, input_matrix


def _over_output_box(
    network: Network, domain: Domain, bounds: PreactivationBounds, outputs: FloatArray, inputs: RowMatrix | None
) -> FloatArray:
    """Bound rows by the bounds of the output and the domain alone: better where a solver tightened the output."""
    domain_inputs = as_inputs(network, domain)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        middle, radius = middle_and_radius(bounds.output_lower, bounds.output_upper)
        absolute = np.abs(outputs)
        value = outputs @ middle + absolute @ radius
        size = absolute @ (np.abs(middle) + radius)
        if inputs is not None:
            part = inputs.toarray() if sparse.issparse(inputs) else inputs
            value = value + domain_inputs.maximize(part, None)
            size = size + np.abs(part) @ np.maximum(np.abs(domain.lower), np.abs(domain.upper))
        terms = network.output_size + network.input_size + 8
        return sound_upper(value + 8.0 * gamma(terms) * size + 4.0 * terms * TINY)


def start_rows(network: Network, outputs: FloatArray, inputs: RowMatrix | None) -> Rows:
    """Return rows over the output and the input node."""
    coefficients = {network.output: outputs}
    if inputs is not None:
        coefficients[INPUT] = inputs.toarray() if sparse.issparse(inputs) else np.array(inputs, dtype=np.float64)
    return Rows(coefficients, np.zeros(outputs.shape[0]), np.zeros(outputs.shape[0]))
