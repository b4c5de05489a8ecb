r"""Errors of kernels carried through a network: the sweep behind the certificate.

Every sum below is of nonnegative numbers; its own rounding is paid for by the factor ``1 + 2 gamma``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from netopt.arrays import FloatArray
from netopt.bounds.propagation import Propagation, affine_terms
from netopt.bounds.rounding import TINY, gamma, sound_upper
from netopt.network.network import INPUT
from netopt.network.nodes import Affine, Relu
from netopt.ticket.found import Found
from netopt.ticket.search import FoundBias, FoundMap, Subsets

#: More than the underflows in a sum of this sweep can amount to.
_LOST = 2.0**30 * TINY


@dataclass(slots=True, eq=False)
class ErrorSweep:
    """Bounds of ``|ticket - scale * reference|`` for every node of the reference, in exact arithmetic.

    Attributes
    ----------
    found : the ticket.
    state : bounds of the reference's nodes: the target, or the ticket folded into its shape.
    folded : whether the reference is the folded ticket: its kernels are the ticket's, up to rounding.
    error : name of a node (or `INPUT`) -> (size,), in the ticket's units.
    entry, layer : key of a map -> the largest error of an entry and of what the layer adds, in the ticket's units.
    """

    found: Found
    state: Propagation
    folded: bool
    error: dict[str, FloatArray] = field(default_factory=dict)
    entry: dict[str, float] = field(default_factory=dict)
    layer: dict[str, float] = field(default_factory=dict)

    def run(self) -> ErrorSweep:
        """Sweep once, in topological order."""
        maps = {(found.learned.node.name, found.learned.index): found for found in self.found.maps}
        biases = {found.learned.node.name: found for found in self.found.biases}
        reference = self.state.network
        self.error[INPUT] = np.zeros(reference.input_size)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            for node in reference.nodes:
                if isinstance(node, Relu):
                    self.error[node.name] = self.error[node.input]
                    continue
                total = self._bias(node, biases.get(node.name))
                for k, source in enumerate(node.inputs):
                    own = self._map(node, k, maps.get((node.name, k)))
                    factor = self.found.scales[node.name] / self.found.scales[source]
                    total = total + own + factor * node.maps[k].apply_abs(self.error[source][None])[0]
                self.error[node.name] = sound_upper(total * (1.0 + 4.0 * gamma(affine_terms(node) + 16)))
        return self

    def of_output(self) -> FloatArray:
        """Return the bound at the output, (m,), in the reference's units."""
        output = self.state.network.output
        scale = self.found.scales[output]
        value = self.error[output] + 4.0 * gamma(2) * scale * self.state.reach(output)[0]
        return sound_upper(value / scale * (1.0 + gamma(8)))

    def _map(self, node: Affine, index: int, found: FoundMap | None) -> FloatArray:
        """Return what the errors of one map add, (size,)."""
        source = node.inputs[index]
        positive, negative = self._range(source)
        factor = self.found.scales[node.name] / self.found.scales[source]
        if found is None:  # kept, but for the rounding of its weights times the factor
            kept: FloatArray = node.maps[index].apply_abs(np.maximum(positive, negative)[None])[0]
            return kept * (2.0 * gamma(2) * factor) + _LOST
        learned = found.learned
        above, below = self._entries(found)
        entry = float(max(above[learned.positive].max(initial=0.0), below[learned.negative].max(initial=0.0)))
        if not learned.negative.any():  # the values have no other sign in the ticket either
            negative = np.zeros_like(negative)
        added: FloatArray = (
            learned.with_kernels(above).apply(positive[None])[0] + learned.with_kernels(below).apply(negative[None])[0]
        )
        added = added * (1.0 + 4.0 * gamma(2 * (affine_terms(node) + 8))) + _LOST
        self.entry[learned.key], self.layer[learned.key] = entry, float(added.max(initial=0.0))
        return added

    def _range(self, source: str) -> tuple[FloatArray, FloatArray]:
        """Return the largest positive and negative part of the ticket's value at a node, each (size,)."""
        scale, error = self.found.scales[source], self.error[source]
        upper = scale * self.state.upper[source][0] + error
        lower = scale * self.state.lower[source][0] - error
        wider = 1.0 + gamma(8)
        return np.maximum(upper, 0.0) * wider, np.maximum(-lower, 0.0) * wider

    def _entries(self, found: FoundMap) -> tuple[FloatArray, FloatArray]:
        """Return bounds of the entrywise errors ``|E+|`` and ``|E-|``, each (blocks, entries)."""
        targets = found.learned.targets
        above = self._deviation(found.subsets, 0, targets)
        below = self._deviation(found.subsets, 1, -targets)
        return above, below

    def _deviation(self, subsets: Subsets, side: int, targets: FloatArray) -> FloatArray:
        """Return a bound of how far the exact sums are from the targets, or from the sums as they were rounded."""
        rounding: FloatArray = gamma(2 * subsets.pair.width + 8) * (subsets.magnitude[side] + np.abs(targets))
        if self.folded:  # the folded kernels are the sums, divided and rounded once more
            return 2.0 * rounding + _LOST
        off: FloatArray = np.abs(subsets.sums[side] - targets)
        return off * (1.0 + gamma(4)) + rounding + _LOST

    def _bias(self, node: Affine, found: FoundBias | None) -> FloatArray:
        scaled = self.found.scales[node.name] * np.abs(node.bias)
        if found is None:
            return gamma(4) * scaled + _LOST
        learned = found.learned
        deviation = self._deviation(found.subsets, 0, learned.targets)
        off = learned.carried * (deviation + gamma(8) * found.subsets.magnitude[0]).ravel()
        return np.repeat(off, learned.pixels) + gamma(8) * scaled + _LOST
