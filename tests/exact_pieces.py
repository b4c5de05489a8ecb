r"""Independent answers in exact rational arithmetic: a network over a convex set of one or two moving inputs, cut into
the polygons on which it is affine.

Every float64 is a rational number, so what a network of float64 weights does on a polygon with rational corners can
be worked out without any rounding: each neuron's pre-activation is affine on a polygon, and where its sign changes the
polygon is cut in two. Extreme values sit at corners, and a conjunction of rows is satisfiable where clipping by all of
them leaves anything at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from netopt.network.network import INPUT, Network
from netopt.network.nodes import Relu
from netopt.specification.property import Conjunction

#: A corner, the moving inputs' values.
Corner = tuple[Fraction, ...]
#: An affine function of the corners: its slope along each moving input, and its constant.
Function = tuple[Fraction, ...]


@dataclass(frozen=True)
class Piece:
    """A convex polygon (or segment, or point) and what each node is on it."""

    corners: list[Corner]
    nodes: dict[str, list[Function]]


def clipped(corners: list[Corner], function: Function) -> list[Corner]:
    """Return the corners of the part of a convex polygon where an affine function is at least zero."""
    values = [value_at(function, corner) for corner in corners]
    kept: list[Corner] = []
    for k, (corner, value) in enumerate(zip(corners, values, strict=True)):
        before, old = values[k - 1], corners[k - 1]
        if before * value < 0:
            share = before / (before - value)
            kept.append(tuple(a + share * (b - a) for a, b in zip(old, corner, strict=True)))
        if value >= 0:
            kept.append(corner)
    return list(dict.fromkeys(kept))


def value_at(function: Function, corner: Corner) -> Fraction:
    """Return an affine function's value at a corner."""
    return sum((slope * place for slope, place in zip(function, corner, strict=False)), function[-1])


def pieces_of(network: Network, lower: np.ndarray, upper: np.ndarray, cuts: tuple[Function, ...] = ()) -> list[Piece]:
    """Cut a box, at most two inputs of which move, into the polygons on which the network is affine.

    Parameters
    ----------
    cuts : affine functions of the moving inputs that have to be at least zero: they cut the box first.
    """
    low, high = [Fraction(v) for v in lower.tolist()], [Fraction(v) for v in upper.tolist()]
    moving = [k for k in range(len(low)) if low[k] != high[k]]
    assert len(moving) <= 2
    corners: list[Corner] = [()]
    if len(moving) == 1:
        corners = [(low[moving[0]],), (high[moving[0]],)]
    elif moving:
        (a, b), (c, d) = ((low[k], high[k]) for k in moving)
        corners = [(a, c), (b, c), (b, d), (a, d)]
    for cut in cuts:
        corners = clipped(corners, cut)
    inputs = []
    for k, fixed in enumerate(low):
        slopes = [Fraction(int(k == axis)) for axis in moving]
        inputs.append((*slopes, Fraction(0) if k in moving else fixed))
    pieces = [Piece(corners, {INPUT: inputs})] if corners else []
    for node in network.nodes:
        if isinstance(node, Relu):
            for k in range(node.size):
                pieces = [part for piece in pieces for part in _phases(piece, node, k)]
        else:
            matrices = [linear_map.to_csr().toarray() for linear_map in node.maps]
            for piece in pieces:
                sources = [piece.nodes[source] for source in node.inputs]
                piece.nodes[node.name] = _affine(node.bias, matrices, sources, len(moving) + 1)
    return pieces


def _affine(bias: np.ndarray, matrices: list[np.ndarray], sources: list[list[Function]], width: int) -> list[Function]:
    functions = []
    for k, constant in enumerate(bias.tolist()):
        total = [Fraction(0)] * (width - 1) + [Fraction(constant)]
        for matrix, source in zip(matrices, sources, strict=True):
            for weight, function in zip(matrix[k].tolist(), source, strict=True):
                if weight:
                    total = [t + Fraction(weight) * f for t, f in zip(total, function, strict=True)]
        functions.append(tuple(total))
    return functions


def _phases(piece: Piece, node: Relu, k: int) -> list[Piece]:
    """Return the parts of a piece on which neuron k of a Relu is active, and those on which it is not."""
    function = piece.nodes[node.input][k]
    values = [value_at(function, corner) for corner in piece.corners]
    zero = tuple(Fraction(0) for _ in function)
    known = piece.nodes.get(node.name, [])
    if min(values) >= 0 or max(values) <= 0:
        value = function if min(values) >= 0 else zero
        return [Piece(piece.corners, piece.nodes | {node.name: [*known, value]})]
    opposite = tuple(-entry for entry in function)
    return [
        Piece(clipped(piece.corners, side), piece.nodes | {node.name: [*known, value]})
        for side, value in ((function, function), (opposite, zero))
    ]


def exact_extremes(pieces: list[Piece], name: str) -> tuple[list[Fraction], list[Fraction]]:
    """Return the least and the largest value of every entry of a node."""
    size = len(pieces[0].nodes[name])
    values = [[value_at(p.nodes[name][k], corner) for p in pieces for corner in p.corners] for k in range(size)]
    return [min(entry) for entry in values], [max(entry) for entry in values]


def satisfiable(pieces: list[Piece], output: str, conjunction: Conjunction) -> Corner | None:
    """Return a corner of the set on which all rows of a conjunction hold exactly, None where there is none."""
    for piece in pieces:
        corners = piece.corners
        for row in _slacks(piece, output, conjunction):
            corners = clipped(corners, row) if corners else corners
        if corners:
            return corners[0]
    return None


def largest_minimum(pieces: list[Piece], output: str, conjunction: Conjunction, norm: np.ndarray) -> Fraction:
    """Return the exact maximum of ``min_i slack_i / norm_i``, norms taken as the float64 numbers they are."""
    best = None
    for piece in pieces:
        rows = [
            tuple(f / Fraction(n) for f in row)
            for row, n in zip(_slacks(piece, output, conjunction), norm.tolist(), strict=True)
        ]
        for k, row in enumerate(rows):
            corners = piece.corners
            for other in (*rows[:k], *rows[k + 1 :]):
                difference = tuple(a - b for a, b in zip(other, row, strict=True))
                corners = clipped(corners, difference) if corners else corners
            best = max([value_at(row, corner) for corner in corners] + ([] if best is None else [best]), default=best)
    assert best is not None
    return best


def _slacks(piece: Piece, output: str, conjunction: Conjunction) -> list[Function]:
    """Return ``bound - A x - B y`` of every row as a function on a piece."""
    width = len(piece.nodes[output][0])
    matrices = [-conjunction.output_matrix]
    sources = [piece.nodes[output]]
    if conjunction.input_matrix is not None:
        matrices.append(-conjunction.input_matrix.toarray())
        sources.append(piece.nodes[INPUT])
    return _affine(conjunction.bound, matrices, sources, width)
