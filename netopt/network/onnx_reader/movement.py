"""Operators that only move data: each is run on the positions of the entries, which gives the index of a selection."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netopt.arrays import IntArray
from netopt.network.lowering import Expression
from netopt.network.onnx_reader.call import Call, Constant, LoweringFunction, Tensor, Value
from netopt.network.onnx_reader.fold import evaluate


def move(call: Call) -> Sequence[Value]:
    """Lower an operator whose first input is moved by the other, constant ones."""
    others = [call.optional_constant(k, "layout") for k in range(1, len(call.inputs))]
    x = call.tensor()
    indices = evaluate(call.node, [x.index, *others], call.opset)
    return [call.take(x, index) for index in indices]


def concat(call: Call) -> Sequence[Value]:
    """Lower a concatenation, of tensors and constants alike."""
    return [_join(call, [call.tensor(k) for k in range(len(call.inputs))])]


def where(call: Call) -> Sequence[Value]:
    """Lower a choice by a constant mask."""
    return [_join(call, [call.constant(0, "condition"), call.tensor(1), call.tensor(2)])]


def triangle(call: Call) -> Sequence[Value]:
    """Lower the upper or lower triangle of matrices, zeros elsewhere."""
    x = call.tensor()
    others = [call.optional_constant(k, "diagonal") for k in range(1, len(call.inputs))]
    index = evaluate(call.node, [x.index + 1, *others], call.opset)[0] - 1
    return [call.take(x, index)]


def scatter(call: Call) -> Sequence[Value]:
    """Lower entries set at constant places: those of the update instead of those of the tensor."""
    reduction = call.attribute("reduction", "none")
    if reduction != "none":
        raise call.refuse(f"joins entries by {reduction!r}", "netopt takes updates that replace entries only")
    return [_join(call, [call.tensor(0), call.constant(1, "list of places"), call.tensor(2)])]


def pad(call: Call) -> Sequence[Value]:
    """Lower a padding, by a constant or by the tensor's own entries; negative widths crop."""
    x = call.tensor()
    widths, fill = _padding(call, len(x.shape))
    mode = call.attribute("mode", "constant")
    if mode not in ("constant", "edge", "reflect", "wrap"):
        raise call.malformed(f"has the unknown padding mode {mode!r}")
    index = x.index[tuple(slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(widths, x.shape, strict=True))]
    grown = np.maximum(widths, 0)
    index = np.pad(index, grown, constant_values=-1) if mode == "constant" else np.pad(index, grown, mode=mode)
    padded = call.take(x, index)
    return [Tensor(index.shape, call.lowering.shift(padded.value, np.where(index < 0, fill, 0.0).ravel()))]


def _padding(call: Call, rank: int) -> tuple[IntArray, float]:
    """Return the widths before and after each axis, (rank, 2), and the constant."""
    if call.opset < 11:
        pads, fill = call.attribute("pads", call.attribute("paddings", [])), call.attribute("value", 0.0)
    else:
        pads, given = call.constant(1, "padding"), call.optional_constant(2, "padding")
        fill = 0.0 if given is None else given.reshape(-1)[0]
    axes = call.optional_constant(3, "padding")
    axes = np.arange(rank) if axes is None else np.array([call.axis(int(axis), rank) for axis in axes])
    pairs = np.asarray(pads, dtype=np.int64).reshape(2, -1).T
    if pairs.shape[0] != axes.size:
        raise call.malformed(f"pads {pairs.shape[0]} axes of {axes.size}")
    widths = np.zeros((rank, 2), dtype=np.int64)
    widths[axes] = pairs
    return widths, float(fill)


def shape(call: Call) -> Sequence[Value]:
    """Fold a shape, which is known."""
    return evaluate(call.node, [call.tensor().index], call.opset)


def _join(call: Call, operands: Sequence[Value]) -> Tensor:
    """Return the entries of several tensors that the operator picks, numbering them one after another."""
    start, parts, numbered = 0, list[tuple[int, Tensor]](), list[Constant]()
    for operand in operands:
        if isinstance(operand, Tensor):
            parts.append((start, operand))
            numbered.append(operand.index + start)
            start += operand.value.size
        else:
            numbered.append(operand)
    index = evaluate(call.node, numbered, call.opset)[0]
    pieces: list[Expression] = []
    for first, part in parts:
        mine = (index >= first) & (index < first + part.value.size)
        if mine.any():
            pieces.append(call.lowering.take(part.value, np.where(mine, index - first, -1).ravel()))
    return Tensor(index.shape, call.lowering.add(*pieces))


LOWERINGS: dict[str, LoweringFunction] = {
    **dict.fromkeys(
        ("Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Gather", "Split", "Expand", "Tile"), move
    ),
    **dict.fromkeys(
        ("DepthToSpace", "SpaceToDepth", "GatherElements", "GatherND", "Compress", "ReverseSequence"), move
    ),
    **dict.fromkeys(("Scatter", "ScatterElements", "ScatterND"), scatter),
    "Concat": concat,
    "Pad": pad,
    "Trilu": triangle,
    "Where": where,
    "Shape": shape,
    "Size": shape,
}
