"""Parts as their linear programs see them: boxes with bounds of all neurons, fixed phases and rows of objectives."""

from __future__ import annotations

from dataclasses import dataclass

from netopt.arrays import Entries, FloatArray, IntArray
from netopt.bounds.inputs import BoxBatch
from netopt.bounds.propagation import Propagation


@dataclass(frozen=True, slots=True, eq=False)
class PartState:
    """B boxes with the pre-activations of all ReLUs side by side, (B, neurons).

    Attributes
    ----------
    state : bounds of every node.
    lower, upper : of the pre-activations.
    phase : 1 where a neuron is fixed active, -1 inactive, 0 otherwise.
    """

    state: Propagation
    lower: FloatArray
    upper: FloatArray
    phase: FloatArray

    def take(self, which: IntArray) -> PartState:
        """Return some of the boxes."""
        inputs = BoxBatch(self.state.inputs.lower[which], self.state.inputs.upper[which])
        state = Propagation(self.state.network, inputs)
        for there, here in (
            (state.lower, self.state.lower),
            (state.upper, self.state.upper),
            (state.magnitude, self.state.magnitude),
        ):
            there.update({name: value[which] for name, value in here.items()})
        state.underflow = self.state.underflow[which]
        return PartState(state, self.lower[which], self.upper[which], self.phase[which])


@dataclass(frozen=True, slots=True, eq=False)
class ObjectivesOfParts(Entries):
    """The rows whose smallest normalised slack is bounded, r for each of B parts (a row may be there twice).

    Attributes
    ----------
    output, input : (B, r, m) and (B, r, n).
    offset, norm : (B, r).
    """

    output: FloatArray
    input: FloatArray
    offset: FloatArray
    norm: FloatArray
