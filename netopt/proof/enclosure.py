r"""Intervals that contain every node's exact value over boxes: by interval arithmetic, then by backward substitution.

For ``v = b + sum_k W_k s_k`` with ``s_k`` in ``m_k -+ r_k``, v lies within ``sum_k |W_k| r_k`` of
``b + sum_k W_k m_k``, both widened by ``gamma (|b| + sum_k |W_k| (|m_k| + r_k))``. Where that leaves the sign of a
ReLU's input open, the neuron is carried back to the inputs by `netopt.proof.carry`, upwards and downwards (Zhang et
al., *Efficient neural network robustness certification with general activation functions*, NeurIPS 2018).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Relu
from netopt.proof.arithmetic import TINY, middle_and_radius, raised, reach, relative
from netopt.proof.carry import Rows, Sizes, carry, join
from netopt.proof.lines import Lines, lines_of
from netopt.proof.regions import Regions

#: Numbers in the arrays of rows that are carried at a time, so that they stay in the cache.
_BLOCK = 2**17

Pairs = Mapping[str, tuple[FloatArray, FloatArray]]


class Enclosure:
    """What is known of every node over B regions.

    Parameters
    ----------
    backward : whether open ReLUs are carried back; else the intervals are left as they are.
    given : name of a Relu -> (lower, upper), (size,) or (B, size), bounds of its input that somebody vouches for.
    phase : name of a Relu -> (B, size), what splits fixed: 1 active, -1 inactive, 0 neither; only these parts of the
        regions are enclosed then.

    Attributes
    ----------
    lower, upper : name of a node -> (B, size).
    empty : (B,) where bounds contradict each other or a fixed phase, so that nothing is left of a region.
    """

    def __init__(
        self,
        network: Network,
        regions: Regions,
        *,
        backward: bool = True,
        given: Pairs = MappingProxyType({}),
        phase: Mapping[str, NDArray[np.int8]] = MappingProxyType({}),
    ) -> None:
        self.network, self.regions = network, regions
        self.lower: dict[str, FloatArray] = {INPUT: regions.lower}
        self.upper: dict[str, FloatArray] = {INPUT: regions.upper}
        self._reach: dict[str, FloatArray] = {INPUT: reach(regions.lower, regions.upper)}
        self._magnitude: dict[str, FloatArray] = {}
        self._lines: dict[str, Lines] = {}
        self.empty: BoolArray = np.zeros(regions.count, dtype=bool)
        readers: dict[str, list[str]] = {}
        for relu in network.relus:
            readers.setdefault(relu.input, []).append(relu.name)
        for node in network.nodes:
            if isinstance(node, Relu):
                self._set(node.name, *(np.maximum(side[node.input], 0.0) for side in (self.lower, self.upper)))
                self._lines[node.name] = lines_of(self.lower[node.input], self.upper[node.input])
                continue
            self._interval(node)
            for reader in readers.get(node.name, ()):
                if reader in given:
                    self._tighten(node.name, *given[reader])
            if node.name in readers:
                exact = set(node.inputs) == {INPUT} and regions.domain is None
                if backward and not exact:
                    self._backward(node)
            for reader in readers.get(node.name, ()):
                if reader in phase:
                    self._fix(node.name, phase[reader])

    @property
    def width(self) -> int:
        """Size of the widest node."""
        return max(self.network.input_size, *(node.size for node in self.network.nodes))

    def sizes(self, owner: IntArray | None) -> Sizes:
        """Return how large the nodes are, for rows about the regions `owner`."""
        return Sizes(self._reach, self._magnitude, owner)

    def upper_bounds(self, rows: Rows, owner: IntArray | None) -> FloatArray:
        """Return the largest values (p,) of rows that have been carried to the inputs."""
        linear = self.regions.maximize(rows.coefficients[INPUT], owner)
        whole = Rows({}, linear, rows.error)
        whole.add_constant(rows.constant)
        return (whole.constant + whole.error) + 4.0 * np.spacing(np.abs(whole.constant) + whole.error)

    def _set(self, name: str, lower: FloatArray, upper: FloatArray) -> None:
        self.lower[name], self.upper[name] = lower, upper
        self._reach[name] = reach(lower, upper)

    def _tighten(self, name: str, lower: FloatArray, upper: FloatArray) -> None:
        self._set_either(name, np.maximum(self.lower[name], lower), np.minimum(self.upper[name], upper))

    def _set_either(self, name: str, lower: FloatArray, upper: FloatArray) -> None:
        """Set bounds that cross where nothing is left of a region: there either of the two is right."""
        self.empty |= (lower > upper).any(axis=1)
        self._set(name, lower, np.maximum(lower, upper))

    def _fix(self, name: str, phase: NDArray[np.int8]) -> None:
        """Leave of an Affine's values those of fixed phases."""
        lower = np.where(phase > 0, np.maximum(self.lower[name], 0.0), self.lower[name])
        upper = np.where(phase < 0, np.minimum(self.upper[name], 0.0), self.upper[name])
        self._set_either(name, lower, upper)

    def _interval(self, node: Affine) -> None:
        count = self.regions.count
        value, spread = np.tile(node.bias, (count, 1)), np.zeros((count, node.size))
        size = np.abs(value)
        terms = 8 + sum(linear_map.in_size + 1 for linear_map in node.maps)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for source, linear_map in zip(node.inputs, node.maps, strict=True):
                middle, radius = middle_and_radius(self.lower[source], self.upper[source])
                value = value + linear_map.apply(middle)
                absolute = linear_map.apply_abs(np.concatenate([radius, np.abs(middle)]))
                spread = spread + absolute[:count]
                size = size + absolute[:count] + absolute[count:]
            magnitude = raised(size, terms)
            spread = raised(spread, terms) + 2.0 * relative(terms) * magnitude + terms * TINY
            lower, upper = value - spread, value + spread
            # An overflow says nothing: such a neuron is unbounded.
            self._set(node.name, _or(lower, -np.inf), _or(upper, np.inf))
            self._magnitude[node.name] = _or(magnitude, np.inf)

    def _backward(self, node: Affine) -> None:
        """Carry the neurons whose sign is open to the inputs."""
        lower, upper = self.lower[node.name].copy(), self.upper[node.name].copy()
        region, neuron = np.nonzero((lower < 0.0) & (upper > 0.0))
        step = max(1, _BLOCK // (2 * self.width))
        for first in range(0, neuron.size, step):
            who, which = region[first : first + step], neuron[first : first + step]
            high = self._neurons(node, which, who, 1.0)
            low = -self._neurons(node, which, who, -1.0)
            upper[who, which] = np.minimum(upper[who, which], _or(high, np.inf))
            lower[who, which] = np.maximum(lower[who, which], _or(low, -np.inf))
        self._set_either(node.name, lower, upper)

    def _neurons(self, node: Affine, which: IntArray, who: IntArray, sign: float) -> FloatArray:
        """Return upper bounds of ``sign`` times some neurons of an Affine over some regions."""
        owner = who if self.regions.count > 1 else None
        sizes = self.sizes(owner)
        rows = Rows({}, sign * node.bias[which], np.zeros(which.size))
        for source, linear_map in zip(node.inputs, node.maps, strict=True):
            join(rows, source, sign * linear_map.rows(which), sizes)
        return self.upper_bounds(carry(self.network, rows, sizes, _LinesOf(self._lines, owner)), owner)


class _LinesOf:
    """Lines of regions, handed out row by row."""

    def __init__(self, lines: Mapping[str, Lines], owner: IntArray | None) -> None:
        self._lines, self._owner = lines, owner

    def __call__(self, relu: Relu) -> Lines:
        lines = self._lines[relu.name]
        if self._owner is None:
            return lines
        who = self._owner
        return Lines(*(side.take(who, axis=0) for side in (lines.below, lines.above, lines.intercept)))


def _or(values: FloatArray, otherwise: float) -> FloatArray:
    return np.where(np.isfinite(values), values, otherwise)
