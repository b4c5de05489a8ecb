r"""Affine forms of all neurons, carried forward from the inputs (a zonotope): bounds of a layer from the one before.

A node's values are :math:`v = c + \sum_g a_g \varepsilon_g \pm r` with one :math:`\varepsilon_g \in [-1, 1]` for every
input of the box and for every unstable ReLU behind. An Affine maps c and every :math:`a_g`; a ReLU with the lines
``s z <= y <= s z + t`` of `netopt.bounds.relaxation` scales them by s, adds t / 2 to c and a new :math:`\varepsilon` of
the radius t / 2. A neuron's bounds are :math:`c \mp (\sum_g |a_g| + r)`.

CROWN carries a row of every neuron through all layers before it. Where neurons are many and unstable ones few, it is
much less to carry the inputs and those ReLUs once through each layer. Lines are the same on both sides, hence bounds a
little looser.

Rounding, with :math:`S = \sum_g |a_g|` as computed, m the magnitude of `netopt.bounds.propagation`, k terms a sum: at
an Affine

.. math:: r' = |W| r + \gamma_k \big( |W| (|c| + S) + |b| \big) + \gamma_k m ,

the last for the rounding of ``Network.forward``; a ReLU multiplies r by s and adds u s (|c| + S) and a little. Over
many layers ``|W| r`` grows far faster than S; where r is no longer negligible, epsilons of the neurons take it over.

Singh, Gehr, Mirman, Püschel, Vechev, *Fast and effective robustness certification* (DeepZ), NeurIPS 2018.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.bounds.inputs import BoxBatch
from netopt.bounds.patches import Vectors, add_absolute, added, carried, covered, empty, scaled, units
from netopt.bounds.products import Products
from netopt.bounds.propagation import Propagation, affine_terms
from netopt.bounds.relaxation import Relaxation
from netopt.bounds.rounding import TINY, UNIT_ROUNDOFF, gamma, middle_and_radius, sound_lower, sound_upper
from netopt.network.convolution import Convolution
from netopt.network.identity import Identity
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Relu

#: Side of the squares of pixels whose forms are carried together, most of them, and most entries of their arrays.
_SIDE, _TOGETHER, _ENTRIES = 8, 256, 2**22
#: Numbers that may be kept between two layers; where there are more, forms start anew from the inputs.
_KEPT = 2**26
#: Share of S that r has to be to become epsilons, and how many more there may then be at most.
_NOTICED, _MORE = 2.0**-20, 0.5


@dataclass(slots=True, eq=False)
class _Forms:
    """Coefficients of some epsilons: `entries` of the node `source` with their radii, and what they are later on.

    Attributes
    ----------
    position : number of the last node they were carried through.
    values : name of a node, of those that later ones read -> coefficients; None where they have to start anew.
    """

    source: str
    entries: IntArray
    radius: FloatArray
    position: int
    values: dict[str, Vectors] | None = None


class AffineForms:
    """Affine forms over one box, as far as ReLUs have been relaxed.

    Parameters
    ----------
    state : bounds of a single box; the nodes so far, and later those that `tighten` is asked about, with intervals.
    relaxations : name of a Relu -> its lines, of all those in front of an Affine that `tighten` is asked about.
    """

    def __init__(self, state: Propagation, relaxations: Mapping[str, Relaxation], products: Products) -> None:
        self._state, self._relaxations, self._products = state, relaxations, products
        network = state.network
        self._index = {node.name: k for k, node in enumerate(network.nodes)}
        self._last_read = {source: k for k, node in enumerate(network.nodes) for source in node.inputs}
        self._shapes = _image_shapes(network)
        middle, radius = middle_and_radius(state.lower[INPUT], state.upper[INPUT])
        self._centre = {INPUT: middle[0]}
        self._spread = {INPUT: radius[0]}
        self._rounding = {INPUT: np.zeros_like(radius[0])}
        free = np.flatnonzero(radius[0] > 0.0)
        self._forms = [_Forms(INPUT, *some, -1) for some in self._together(INPUT, free, radius[0])]
        self._radius: dict[str, FloatArray] = {}
        self._moved: set[str] = set()
        self._count, self._reached, self._carried = free.size, -1, -1
        self._free = free.size

    @staticmethod
    def fit(state: Propagation) -> bool:
        """Whether the inputs are a single box."""
        return isinstance(state.inputs, BoxBatch) and state.inputs.count == 1

    def products(self, node: Affine) -> int:
        """Return about how many products it takes to carry the forms to an Affine."""
        total, count = 0, self._count - self._free
        for k, other in enumerate(self._state.network.nodes[: self._index[node.name] + 1]):
            if isinstance(other, Relu) and k > self._reached:
                count += int(np.count_nonzero(self._relaxations[other.name].upper_intercept))
            if k > self._carried:
                total += self._input_products[other.name] + self._products.own[other.name] * count
        return total

    @cached_property
    def _input_products(self) -> dict[str, int]:
        """Name of a node -> products that the forms of the inputs take there, in the windows they have reached."""
        network = self._state.network
        total = dict.fromkeys(self._products.own, 0)
        for forms in self._forms:
            if forms.source == INPUT:
                values: dict[str, Vectors] = {INPUT: empty(self._started(forms)[INPUT])}
                for node in network.nodes:
                    maps = node.maps if isinstance(node, Affine) else (Identity(node.size),)
                    parts = [carried(m, values[source]) for source, m in zip(node.inputs, maps, strict=True)]
                    values[node.name] = reduce(added, parts)
                    own = self._products.own[node.name] * forms.entries.size
                    total[node.name] += int(own * covered(values[node.name]))
        return total

    def tighten(self, node: Affine, deadline: float | None) -> bool:
        """Tighten the bounds of an Affine, in `state`; False when the deadline came first, and no more can be asked."""
        end = self._index[node.name]
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            self._begin(end)
            if not self._carry(end, deadline):
                return False
            self._account(end)
            centre, spread = self._centre[node.name], self._spread[node.name] + self._rounding[node.name]
            spread = spread * (1.0 + 8.0 * UNIT_ROUNDOFF) + 4.0 * UNIT_ROUNDOFF * np.abs(centre) + TINY
            self._state.tighten(node.name, sound_lower(centre - spread), sound_upper(centre + spread))
        self._forget(end)
        return True

    def _together(self, name: str, entries: IntArray, radius: FloatArray) -> Iterator[tuple[IntArray, FloatArray]]:
        """Yield entries of a node that are close to each other, and their radii."""
        shape = self._shapes.get(name)
        groups = [entries]
        if shape is not None and entries.size:
            _, row, column = np.unravel_index(entries, shape)
            square = row // _SIDE * shape[2] + column // _SIDE
            order = np.argsort(square, kind="stable")
            groups = np.split(entries[order], np.flatnonzero(np.diff(square[order])) + 1)
        largest = max(self._state.network.input_size, *(node.size for node in self._state.network.nodes))
        step = max(1, min(_TOGETHER, _ENTRIES // largest))
        for group in groups:
            for first in range(0, group.size, step):
                some = group[first : first + step]
                yield some, radius[some]

    def _begin(self, end: int) -> None:
        """Add the epsilons of the ReLUs up to a node."""
        for k, node in enumerate(self._state.network.nodes[: end + 1]):
            if isinstance(node, Relu) and k > self._reached:
                radius = self._radius[node.name] = self._new_radius(node)
                loose = np.flatnonzero(radius > 0.0)
                self._forms += [_Forms(node.name, *some, k) for some in self._together(node.name, loose, radius)]
                self._count += loose.size

    def _new_radius(self, node: Relu) -> FloatArray:
        """Return the radii of the epsilons of a ReLU, (size,): what its lines leave open, and noticeable rounding."""
        lines = self._relaxations[node.name]
        radius: FloatArray = 0.5 * lines.upper_intercept[0]
        if node.input in self._rounding:
            rounding = lines.upper_slope[0] * self._rounding[node.input]
            noticed = rounding.sum() > _NOTICED * self._spread[node.input].sum()
            if noticed and np.count_nonzero(rounding) <= _MORE * self._count:
                self._moved.add(node.name)
                radius = (radius + rounding) * (1.0 + 4.0 * UNIT_ROUNDOFF) + TINY * (rounding > 0.0)
        return radius

    def _carry(self, end: int, deadline: float | None) -> bool:
        """Carry all forms to a node and add up their absolute values; False when the deadline came first."""
        nodes = self._state.network.nodes[self._reached + 1 : end + 1]
        totals = {node.name: np.zeros(node.size) for node in nodes if isinstance(node, Affine)}
        kept = 0
        for forms in self._forms:
            values = self._started(forms) if forms.values is None else forms.values
            for k in range(forms.position + 1, end + 1):
                if deadline is not None and time.monotonic() > deadline:
                    return False
                self._step(k, values, totals)
            kept += sum(value.size if isinstance(value, np.ndarray) else value.values.size for value in values.values())
            if kept <= _KEPT:
                forms.values, forms.position = values, end
        self._spread |= {name: total * (1.0 + 2.0 * gamma(self._count + 8)) for name, total in totals.items()}
        self._carried = end
        if kept > _KEPT:
            for forms in self._forms:
                forms.values, forms.position = None, self._index.get(forms.source, -1)
            self._carried = -1
        return True

    def _started(self, forms: _Forms) -> dict[str, Vectors]:
        size = self._state.lower[forms.source].shape[1]
        return {forms.source: units(forms.entries, forms.radius, size, self._shapes.get(forms.source))}

    def _step(self, k: int, values: dict[str, Vectors], totals: Mapping[str, FloatArray]) -> None:
        """Carry a few forms through the k-th node, in place."""
        node = self._state.network.nodes[k]
        sources = {source for source in node.inputs if source in values}
        if isinstance(node, Relu):
            if sources:
                values[node.name] = scaled(values[node.input], self._relaxations[node.name].upper_slope[0])
        else:
            for source, linear_map in zip(node.inputs, node.maps, strict=True):
                if source in sources:
                    part = carried(linear_map, values[source])
                    values[node.name] = added(values[node.name], part) if node.name in values else part
            if sources and node.name in totals:
                add_absolute(totals[node.name], values[node.name])
        for source in sources:
            if self._last_read[source] <= k:
                del values[source]

    def _account(self, end: int) -> None:
        """Write down centres, spreads and rounding of the nodes up to `end`."""
        for node in self._state.network.nodes[self._reached + 1 : end + 1]:
            if isinstance(node, Affine):
                self._account_affine(node)
            else:
                self._account_relu(node)
        self._reached = end

    def _account_affine(self, node: Affine) -> None:
        terms = affine_terms(node) + 8
        share = 2.0 * gamma(terms)
        centre = node.bias.copy()
        rounding = share * (np.abs(node.bias) + self._state.magnitude[node.name][0])
        for source, linear_map in zip(node.inputs, node.maps, strict=True):
            value = self._centre[source]
            size = self._rounding[source] + share * (np.abs(value) + self._spread[source])
            centre += linear_map.apply(value[None])[0]
            rounding += linear_map.apply_abs(size[None])[0]
        rounding += self._state.inexact.get(node.name, 0.0) + (self._count + 8) * terms * TINY
        self._centre[node.name] = centre
        self._rounding[node.name] = rounding * (1.0 + 4.0 * gamma(terms))

    def _account_relu(self, node: Relu) -> None:
        lines = self._relaxations[node.name]
        slope, radius = lines.upper_slope[0], self._radius.pop(node.name)
        centre, spread = slope * self._centre[node.input], slope * self._spread[node.input]
        rounding = 4.0 * UNIT_ROUNDOFF * (np.abs(centre) + spread + radius)
        if node.name not in self._moved:
            rounding += slope * self._rounding[node.input]
        self._centre[node.name] = centre + 0.5 * lines.upper_intercept[0]
        self._spread[node.name] = (spread + radius) * (1.0 + 4.0 * UNIT_ROUNDOFF)
        self._rounding[node.name] = rounding * (1.0 + 8.0 * UNIT_ROUNDOFF) + (self._count + 8) * TINY

    def _forget(self, end: int) -> None:
        """Drop what no later node reads."""
        for kept in (self._centre, self._spread, self._rounding):
            for name in [name for name in kept if self._last_read.get(name, -1) <= end]:
                del kept[name]


def _image_shapes(network: Network) -> dict[str, tuple[int, int, int]]:
    """Return (C, H, W) of the nodes, and of the inputs, that convolutions write or read."""
    shapes: dict[str, tuple[int, int, int]] = {}
    for node in network.nodes:
        if isinstance(node, Relu):
            if node.input in shapes:
                shapes[node.name] = shapes[node.input]
            continue
        for source, linear_map in zip(node.inputs, node.maps, strict=True):
            if isinstance(linear_map, Convolution):
                shapes.setdefault(source, linear_map.in_shape)
                shapes[node.name] = linear_map.out_shape
    return shapes
