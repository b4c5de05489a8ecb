"""CROWN bounds of rows over many boxes at once: the boxes are the batch, thousands cost a few matrix products."""

from __future__ import annotations

import time

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.bounds.backward import Backward, Rows
from netopt.bounds.crown import crown_sweep
from netopt.bounds.inputs import BoxBatch, as_box_batch
from netopt.bounds.propagation import propagate
from netopt.bounds.relaxation import relax
from netopt.bounds.rounding import UNIT_ROUNDOFF
from netopt.errors import InputError
from netopt.network.network import INPUT, Network

#: Bytes of one array (boxes, neurons of a layer): blocks of boxes that stay in the processor's cache run fastest.
_ARRAY_BYTES = 2**20


def bound_rows_over_boxes(
    network: Network,
    lower: FloatArray,
    upper: FloatArray,
    output_matrix: FloatArray,
    input_matrix: FloatArray | None = None,
    offset: FloatArray | None = None,
    *,
    intermediate: str = "crown",
    deadline: float | None = None,
) -> FloatArray:
    """Return sound upper bounds of ``output_matrix @ y + input_matrix @ x + offset`` over each of B boxes, (B, r).

    Parameters
    ----------
    lower, upper : (B, n) float64, the boxes.
    output_matrix : (r, m), the same rows for every box, or (B, r, m).
    input_matrix : (r, n) or (B, r, n); None when no row mentions an input.
    offset : (r,) or (B, r) constants added.
    intermediate : ``"crown"`` or ``"interval"``: how the hidden layers are bounded.
    deadline : value of `time.monotonic` after which the boxes left get +inf.

    Raises
    ------
    InputError
        Shapes do not fit, a box is empty, or `intermediate` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.bounds.batch import bound_rows_over_boxes
    >>> from netopt.network.build import from_weights
    >>> network = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> edges = np.linspace(-1.0, 1.0, 5)[:, None]
    >>> bound_rows_over_boxes(network, edges[:-1], edges[1:], np.array([[1.0]])).round(6).ravel().tolist()
    [1.0, 0.5, 0.5, 1.0]
    """
    if intermediate not in ("crown", "interval"):
        raise InputError(f"unknown level {intermediate!r} of intermediate bounds; choose 'crown' or 'interval'")
    boxes = as_box_batch(network, lower, upper)
    outputs = _rows_of_boxes(output_matrix, boxes.count, network.output_size, "output")
    inputs = None if input_matrix is None else _rows_of_boxes(input_matrix, boxes.count, network.input_size, "input")
    if inputs is not None and inputs.shape[1] != outputs.shape[1]:
        raise InputError(f"{outputs.shape[1]} rows over the outputs meet {inputs.shape[1]} rows over the inputs")
    result = np.full(outputs.shape[:2], np.inf)
    step = _boxes_a_block(network)
    for first in range(0, boxes.count, step):
        if deadline is not None and time.monotonic() > deadline:
            break
        block = slice(first, first + step)
        part = BoxBatch(boxes.lower[block], boxes.upper[block])
        backward = _relaxed(network, part, intermediate)
        result[block] = _bound(backward, outputs[block], None if inputs is None else inputs[block])
    if offset is not None:
        result = result + offset
        result += 2.0 * UNIT_ROUNDOFF * (np.abs(result) + 2.0 * np.abs(offset))
    return result


def _relaxed(network: Network, boxes: BoxBatch, intermediate: str) -> Backward:
    """Return the network with its ReLUs relaxed over each box."""
    if intermediate == "crown":
        return crown_sweep(network, boxes, bound_output=False)[0]
    state = propagate(network, boxes, {})
    return Backward(state, {r.name: relax(state.lower[r.input], state.upper[r.input]) for r in network.relus})


def _bound(backward: Backward, outputs: FloatArray, inputs: FloatArray | None) -> FloatArray:
    """Return the bounds (b, r) of rows (b, r, m)."""
    boxes, rows, _ = outputs.shape
    owner = np.repeat(np.arange(boxes), rows)
    bound = np.empty(boxes * rows)
    for first in range(0, bound.size, backward.block):
        block = slice(first, first + backward.block)
        bound[block] = backward.run(_start(backward.state.network, outputs, inputs, owner, block)).bound
    return bound.reshape(boxes, rows)


def _start(network: Network, outputs: FloatArray, inputs: FloatArray | None, owner: IntArray, block: slice) -> Rows:
    row = np.arange(owner.size)[block] % outputs.shape[1]
    who = owner[block]
    coefficients = {network.output: outputs[who, row]}
    if inputs is not None:
        coefficients[INPUT] = inputs[who, row]
    return Rows(coefficients, np.zeros(who.size), np.zeros(who.size), who)


def _rows_of_boxes(matrix: FloatArray, boxes: int, size: int, side: str) -> FloatArray:
    rows = np.asarray(matrix, dtype=np.float64)
    if rows.ndim not in (2, 3) or rows.shape[-1] != size or (rows.ndim == 3 and rows.shape[0] != boxes):
        raise InputError(
            f"the {side} part of the rows must have shape (rows, {size}) or ({boxes}, rows, {size}), not {rows.shape}"
        )
    return np.broadcast_to(rows, (boxes, *rows.shape[-2:]))


def _boxes_a_block(network: Network) -> int:
    width = max(network.input_size, *(node.size for node in network.nodes))
    return max(1, _ARRAY_BYTES // (8 * width))
