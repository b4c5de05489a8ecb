"""CROWN over many boxes at once: what every box's own bounds make of the rows asked for.

In every box each layer is bounded backward from every neuron whose phase is not yet known there, in float32 or float64
(`netopt.bounds.box_rows`). Bounds known from a larger box are kept where they are tighter, and neurons that they settle
cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.bounds.box_rows import BoxBackward, BoxRows, rounded_affines
from netopt.bounds.inputs import BoxBatch
from netopt.bounds.precision import Floats, Precision
from netopt.bounds.propagation import Propagation
from netopt.bounds.rounding import UNIT_ROUNDOFF, gamma, middle_and_radius, sound_upper
from netopt.bounds.sparse_rows import BLOCK_ENTRIES, SparseBoxBackward, entries_seen, sparse_affines
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Relu

#: Bytes of one array of coefficients: blocks of rows that stay in the processor's cache run fastest.
_BLOCK_BYTES = 2**19

#: Pre-activation bounds of Relus: name -> (lower, upper), (B, size) or (size,) each.
Known = Mapping[str, tuple[FloatArray, FloatArray]]


@dataclass(frozen=True, slots=True, eq=False)
class BoxFunctions:
    """Linear functions above rows, one a pair of a box and a row.

    Attributes
    ----------
    slope, constant : (p, n) and (p,): a row is at most ``slope @ x + constant`` over its box.
    bound : (p,) the largest value of that there.
    rounding : (p,) the share of rounding errors in the bound.
    """

    slope: FloatArray
    constant: FloatArray
    bound: FloatArray
    rounding: FloatArray


class BoxBounds:
    """A network made ready for bounds over boxes in one precision.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.bounds.boxes import BoxBounds
    >>> from netopt.bounds.precision import SINGLE
    >>> from netopt.network.build import from_weights
    >>> network = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])  # |x|
    >>> edges = np.linspace(-1.0, 1.0, 5)[:, None]
    >>> boxes = BoxBounds(network, SINGLE).over(edges[:-1], edges[1:])
    >>> boxes.functions(np.ones((4, 1)), None, np.arange(4)).bound.round(3).tolist()
    [1.0, 0.5, 0.5, 1.0]
    """

    def __init__(self, network: Network, precision: Precision) -> None:
        self.network, self.precision = network, precision
        self.affines = rounded_affines(network, precision)
        self.seen = entries_seen(network)
        if self.seen is not None:
            self.affines = sparse_affines(self.affines)
        self.readers: dict[str, list[str]] = {}
        for relu in network.relus:
            self.readers.setdefault(relu.input, []).append(relu.name)

    def over(
        self,
        lower: FloatArray,
        upper: FloatArray,
        known: Known | None = None,
        axes: IntArray | None = None,
        stopped: Callable[[], bool] = lambda: False,
        *,
        intermediate: bool = True,
    ) -> BoundedBoxes:
        """Bound every node over boxes (B, n).

        Parameters
        ----------
        known : bounds that hold over the boxes.
        axes : inputs of which `BoundedBoxes.loosened_by` is to tell; None for none.
        stopped : asked now and then; once it says yes, the layers left get interval bounds.
        intermediate : whether hidden layers are bounded by CROWN; else all get interval bounds.
        """
        boxes = BoundedBoxes(self, lower, upper, np.empty(0, dtype=np.int64) if axes is None else axes)
        boxes.sweep({} if known is None else known, stopped if intermediate else lambda: True)
        return boxes


class BoundedBoxes:
    """The bounds of every node over a batch of boxes.

    Attributes
    ----------
    state : these bounds.
    """

    def __init__(self, parent: BoxBounds, lower: FloatArray, upper: FloatArray, axes: IntArray) -> None:
        self._parent, self._axes = parent, axes
        self.state = Propagation(parent.network, BoxBatch(lower, upper))
        self._middle, self._radius = middle_and_radius(lower, upper)
        kind = BoxBackward if parent.seen is None else SparseBoxBackward
        self._backward = kind(self.state, parent.affines, parent.precision)
        self._slopes: dict[str, Floats] = {}
        self._widest = max(parent.network.input_size, *(node.size for node in parent.network.nodes))

    def _block(self, start: str) -> int:
        """Return how many rows are carried together from an Affine."""
        if self._parent.seen is not None:
            return max(2, BLOCK_ENTRIES // self._parent.seen[start])
        return max(2, _BLOCK_BYTES // (np.dtype(self._parent.precision.dtype).itemsize * self._widest))

    def sweep(self, known: Known, stopped: Callable[[], bool]) -> None:
        """Bound the nodes in order."""
        for node in self._parent.network.nodes:
            if isinstance(node, Relu):
                self._backward.relax(node)
                self.state.relu(node)
                continue
            self.state.affine(node)
            readers = self._parent.readers.get(node.name, ())
            for reader in readers:
                if reader in known:
                    self.state.tighten(node.name, *known[reader])
            if readers:
                self._tighten(node, stopped)

    def bounds_of(self, relu: Relu) -> tuple[FloatArray, FloatArray]:
        """Return the bounds of a Relu's pre-activation, (B, size) each."""
        return self.state.lower[relu.input], self.state.upper[relu.input]

    def functions(self, outputs: FloatArray, inputs: FloatArray | None, owner: IntArray) -> BoxFunctions:
        """Return functions above rows over outputs (p, m) and inputs (p, n), row i over box ``owner[i]``, ascending."""
        parts = [self._bound(rows) for rows in self._blocks(outputs, inputs, owner)]
        return BoxFunctions(
            np.concatenate([part.slope for part in parts]),
            np.concatenate([part.constant for part in parts]),
            np.concatenate([part.bound for part in parts]),
            np.concatenate([part.rounding for part in parts]),
        )

    def loosened_by(self, outputs: FloatArray, inputs: FloatArray | None, owner: IntArray) -> FloatArray:
        """Return how much of the looseness of rows is due to the width of the box along each of the axes, (p, axes).

        What the lines of a neuron may add to the row is shared out among the axes by the squares of the ranges that
        the neuron's own linear bounds have along them.
        """
        width = (2.0 * self._radius[:, self._axes]).astype(np.float32)
        shares = {name: _shares(slopes, width) for name, slopes in self._slopes.items()}
        parts = []
        for rows in self._blocks(outputs, inputs, owner):
            loose: dict[str, Floats] = {}
            who = rows.owner
            self._backward.run(rows, loose)
            part = np.zeros((len(who), len(self._axes)))
            for name, amount in loose.items():
                part += np.einsum("pk,pka->pa", amount, shares[name].take(who, axis=0))
            parts.append(part)
        return np.concatenate(parts)

    def _blocks(self, outputs: FloatArray, inputs: FloatArray | None, owner: IntArray) -> list[BoxRows]:
        blocks = []
        step = self._block(self._parent.network.output)
        for first in range(0, max(1, len(owner)), step):
            block = slice(first, first + step)
            coefficients: dict[str, Floats] = {
                self._parent.network.output: self._parent.precision.nearest(outputs[block])
            }
            if inputs is not None:
                coefficients[INPUT] = inputs[block]
            count = len(owner[block])
            blocks.append(BoxRows(coefficients, np.zeros(count), np.zeros(count), owner[block]))
        return blocks

    def _bound(self, rows: BoxRows) -> BoxFunctions:
        """Carry rows to the inputs and maximise them there, in float64."""
        owner = rows.owner
        slope, constant, error = self._backward.run(rows)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            size = np.abs(slope)
            rounding = 8.0 * gamma(size.shape[1] + 8) * np.einsum("pn,pn->p", size, self.state.reach(INPUT)[owner])
            constant = constant + error + rounding + 4.0 * UNIT_ROUNDOFF * (np.abs(constant) + error)
            bound = constant + np.einsum("pn,pn->p", slope, self._middle[owner])
            bound += np.einsum("pn,pn->p", size, self._radius[owner])
            bound += rounding + 4.0 * UNIT_ROUNDOFF * (np.abs(constant) + np.abs(bound))
        return BoxFunctions(slope, sound_upper(constant), sound_upper(bound), error + rounding)

    def _tighten(self, node: Affine, stopped: Callable[[], bool]) -> None:
        """Bound the neurons of an Affine that may take either sign, backward from each."""
        lower, upper = self.state.lower[node.name], self.state.upper[node.name]
        members, neurons = np.nonzero((lower < 0.0) & (upper > 0.0))
        slopes = np.zeros((*lower.shape, self._axes.size), dtype=np.float32)
        step = self._block(node.name) // 2
        for first in range(0, neurons.size, step):
            if stopped():
                break
            who, which = members[first : first + step], neurons[first : first + step]
            found = self._bound(self._backward.both_sides(node, which, who))
            lower[who, which] = np.maximum(lower[who, which], -found.bound[0::2])
            upper[who, which] = np.minimum(upper[who, which], found.bound[1::2])
            if self._axes.size:
                with np.errstate(over="ignore"):
                    steep = np.abs(found.slope[:, self._axes]).astype(np.float32)
                slopes[who, which] = steep[0::2] + steep[1::2]
        for reader in self._parent.readers[node.name]:
            self._slopes[reader] = slopes


def _shares(slopes: Floats, width: Floats) -> Floats:
    """Return the squares of each axis' share in ``slopes @ width``: (B, k, a), (B, a) -> (B, k, a)."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        ranges = slopes * width[:, None, :]
        total = ranges.sum(axis=2, keepdims=True)
        shares: Floats = np.divide(ranges, total, out=np.zeros_like(ranges), where=(total > 0.0) & np.isfinite(total))
        shares *= shares
    return shares
