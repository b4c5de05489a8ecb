r"""Upper bounds of objectives over many parts of a domain, each part with the phases of some ReLUs fixed.

Over the part where ``s_j z_j(x) >= 0`` for the pre-activations ``z_j``, signs ``s_j``, of the fixed neurons,

.. math:: c(x) \le \max_{x \in D} \Big( c(x) + \sum_j \beta_j s_j z_j(x) \Big) \quad (\beta \ge 0),

for c any convex combination of the objective's rows, and the right side is bounded by carrying it backward. A fixed
ReLU is the identity or zero; below an unstable one lies the line ``alpha_j z`` for every ``alpha_j`` in [0, 1]. alpha,
beta and the weights lambda of the rows are searched in single precision (`netopt.bounds.descent`); any values are
sound, and what was found is carried once more in float64 with all rounding errors added up.

Wang, Zhang, Xu, Lin, Jana, Hsieh, Kolter, *Beta-CROWN* (NeurIPS 2021).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.bounds.backward import Backward, Rows, UpperFunctions
from netopt.bounds.condensed import Condensed
from netopt.bounds.descent import Descent
from netopt.bounds.descent_start import Start
from netopt.bounds.ground import ground_on
from netopt.bounds.inputs import as_inputs, weighted
from netopt.bounds.objectives import Objectives
from netopt.bounds.parts import PartBounds, Parts, SingleArray
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.propagation import propagate
from netopt.bounds.relaxation import Relaxation, relax
from netopt.bounds.rounding import UNIT_ROUNDOFF
from netopt.bounds.rows import check_rows
from netopt.network.network import Network
from netopt.network.nodes import Relu
from netopt.specification.domain import Domain

#: How far below what suffices a bound in single precision has to be, as a part of the size that the rows can have.
_MARGIN = 2.0**-18


class PhaseBounds:
    """Bounds objectives over parts of a domain.

    Parameters
    ----------
    bounds : of the network's pre-activations over the domain.
    objectives : what is bounded.
    device : where torch searches, ``"cpu"`` or ``"cuda"``; None for NumPy. What it finds is proved by NumPy in float64.

    Raises
    ------
    InvalidOptionError
        torch or the device is missing.

    Attributes
    ----------
    neurons : (neurons,) the columns of `Parts`: places of the unstable neurons among those of all ReLUs side by side.
    ground : what searches for bounds share.
    """

    def __init__(
        self,
        network: Network,
        domain: Domain,
        bounds: PreactivationBounds,
        objectives: Objectives,
        device: str | None = None,
    ) -> None:
        bounds.require(network)
        check_rows(network, objectives.output_matrix, objectives.input_matrix)
        self._domain, self.objectives = domain, objectives
        condensed = Condensed.of(propagate(network, as_inputs(network, domain), bounds.pairs))
        self._state = state = condensed.state
        self._lines = {r.name: relax(state.lower[r.input], state.upper[r.input]) for r in state.network.relus}
        self.ground = ground_on(device, condensed, domain, self._lines)
        places = [condensed.unstable[name] + columns.start for name, columns in network.relu_columns.items()]
        self.neurons: IntArray = np.concatenate([np.empty(0, dtype=np.int64), *places])
        self._output_rows = (objectives.output_matrix / objectives.norm[:, None]).astype(np.float32)
        self._offset = (objectives.offset / objectives.norm).astype(np.float32)
        reach = state.reach(state.network.output)[0]
        self._size = (np.abs(objectives.output_matrix) @ reach + np.abs(objectives.offset)) / objectives.norm

    @property
    def batch(self) -> int:
        """Number of parts to bound at a time."""
        return max(1, Backward(self._state, {}).block // 2)

    def place(self, column: int) -> tuple[str, int]:
        """Return the Relu and the neuron in it that a column of `Parts` is about."""
        for name, columns in self.ground.columns.items():
            if column < columns.stop:
                return name, int(self.ground.condensed.unstable[name][column - columns.start])
        raise IndexError(f"column {column} of {self.neurons.size}")

    def whole(self) -> Parts:
        """Return the domain as one part an objective, with CROWN's lines and the row that they bound best."""
        objectives = self.objectives
        weight = np.zeros(objectives.table.shape)
        if objectives.width == 1 or objectives.conditional:
            weight[:, 0] = 1.0
            return self._unsplit(np.arange(objectives.count), weight)
        place = np.nonzero(objectives.table >= 0)
        one = np.zeros((objectives.owner.size, objectives.width))
        one[np.arange(len(one)), place[1]] = 1.0
        upper = np.full(objectives.table.shape, np.inf)
        upper[place] = np.concatenate(
            [
                self.prove(self._unsplit(objectives.owner[k : k + self.batch], one[k : k + self.batch]))[0]
                for k in range(0, len(one), self.batch)
            ]
        )
        weight[np.arange(objectives.count), upper.argmin(axis=1)] = 1.0
        return self._unsplit(np.arange(objectives.count), weight)

    def _unsplit(self, objective: IntArray, weight: FloatArray) -> Parts:
        slopes = [
            self.ground.lower_slope[name][slice(None) if free is None else free]
            for name, free in self.ground.free.items()
        ]
        slope = np.concatenate([np.empty(0, np.float32), *slopes])
        shape = (objective.size, slope.size)
        return Parts(
            objective, np.zeros(shape, np.int8), np.tile(slope, (shape[0], 1)), np.zeros(shape, np.float32), weight
        )

    def bound(
        self,
        parts: Parts,
        steps: int,
        enough: FloatArray,
        stopped: Callable[[], bool] = lambda: False,
        visit: Callable[[SingleArray], None] | None = None,
    ) -> PartBounds:
        """Bound each part's objective over it, and leave in the parts the values that did it.

        Parameters
        ----------
        steps : of the search; a part is left alone once its bound is at most `enough`, all once `stopped` says so.
        enough : (d,) for each objective.
        visit : hears of the maximisers (parts, n) of every step; then no part is left alone before the others.
        """
        parts.multiplier[parts.phase == 0] = 0.0
        if steps:
            descent = self._descent(parts, enough)
            self._learn(parts, descent.run(steps, stopped, visit))
        upper, functions = self.prove(parts)
        looseness = np.full(parts.phase.shape, -np.inf)
        left = upper > enough[parts.objective]
        if left.any() and self.neurons.size:
            looseness[left], below = self._looseness(parts.take(left), enough)
            parts.multiplier[left] = np.where(parts.phase[left] == 0, below, parts.multiplier[left])
        return PartBounds(upper, self._domain.maximizer(functions.coefficients), looseness)

    def prove(self, parts: Parts) -> tuple[FloatArray, UpperFunctions]:
        """Return sound bounds (parts,) of the objectives, and linear functions above the combined rows of each part."""
        backward = _PhaseBackward(
            self._state, {r.name: self._of_parts(r.name, parts) for r in self._state.network.relus}
        )
        functions = backward.run(self._start(backward, parts))
        return self.objectives.bound(parts.objective, parts.weight, functions.bound), functions

    def estimate(self, parts: Parts, enough: FloatArray) -> FloatArray:
        """Return the bounds (parts,) that the parts' values give in single precision, not proved: to compare parts."""
        return self._descent(parts, enough).bounds().astype(np.float64)

    def _descent(self, parts: Parts, enough: FloatArray) -> Descent:
        """Return the search for better bounds of the parts."""
        objectives = self.objectives
        chosen = objectives.padded[parts.objective]
        rows, offset = self._output_rows[chosen], self._offset[chosen]
        inputs = objectives.inputs_of(parts.objective)
        first = 1 if objectives.conditional else 0
        fixed = {}
        constant = np.zeros(parts.count, np.float32)
        if first:
            fixed[self._state.network.output], constant = rows[:, 0], offset[:, 0]
        start = Start(
            fixed,
            constant,
            (enough[parts.objective] - _MARGIN * self._size[chosen].max(axis=1)).astype(np.float32),
            rows[:, first:],
            None if inputs is None else inputs[:, first:].astype(np.float32),
            offset[:, first:],
            not objectives.conditional,
            np.ones(parts.count, np.float32),
        )
        own = parts.take(slice(None))
        own.weight = parts.weight[:, first:]
        return self.ground.descent(own, start)

    def _learn(self, parts: Parts, best: Parts) -> None:
        """Put what a search found into the parts."""
        parts.slope[:], parts.multiplier[:] = best.slope, best.multiplier
        parts.weight[:, 1 if self.objectives.conditional else 0 :] = best.weight
        missing = self.objectives.table[parts.objective] < 0
        parts.weight[:, 0] += np.where(missing, parts.weight, 0.0).sum(axis=1)
        parts.weight[missing] = 0.0

    def _start(self, backward: _PhaseBackward, parts: Parts) -> Rows:
        """Return the rows plus the multiplied constraints of every part."""
        ground = self.ground
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            rows = self.objectives.combine(self._state, parts.objective, parts.weight)
            if parts.multiplier.any():
                for relu in self._state.network.relus:
                    columns, free = ground.columns[relu.name], ground.free[relu.name]
                    signed = np.zeros((parts.count, relu.size))
                    where = slice(None) if free is None else free
                    signed[:, where] = parts.multiplier[:, columns] * parts.phase[:, columns]
                    backward.add(rows, relu.input, signed)
        return rows

    def _of_parts(self, name: str, parts: Parts) -> Relaxation:
        """Return the lines of a Relu over every part; the reach is that of the domain."""
        whole, columns, free = self._lines[name], self.ground.columns[name], self.ground.free[name]
        phase, shape = parts.phase[:, columns], (parts.count, whole.reach.size)
        where = slice(None) if free is None else free
        lower_slope = np.array(np.broadcast_to(whole.lower_slope, shape))
        if not phase.any():
            lower_slope[:, where] = parts.slope[:, columns]
            return Relaxation(lower_slope, whole.upper_slope, whole.upper_intercept, whole.reach)
        upper_slope, intercept = (
            np.array(np.broadcast_to(line, shape)) for line in (whole.upper_slope, whole.upper_intercept)
        )
        active = (phase > 0).astype(np.float64)
        lower_slope[:, where] = np.where(phase == 0, parts.slope[:, columns], active)
        upper_slope[:, where] = np.where(phase == 0, upper_slope[:, where], active)
        intercept[:, where] *= phase == 0
        return Relaxation(lower_slope, upper_slope, intercept, whole.reach)

    def _looseness(self, parts: Parts, enough: FloatArray) -> tuple[FloatArray, SingleArray]:
        """Return how far each line is from its ReLU at the maximiser, and half of how far it can be.

        And how far below zero the coefficients of the ReLUs are.
        """
        value, row = self._descent(parts, enough).last()
        slope, intercept = (
            np.concatenate(
                [line[name][slice(None) if free is None else free] for name, free in self.ground.free.items()]
            )
            for line in (self.ground.upper_slope, self.ground.intercept)
        )
        rectified = np.maximum(value, 0.0)
        above = np.maximum(row, 0.0) * np.maximum(slope * value + intercept - rectified, 0.0)
        negative = np.maximum(-row, 0.0)
        below = negative * np.maximum(rectified - parts.slope * value, 0.0)
        loose = np.where(parts.phase == 0, above + below + 0.5 * np.abs(row) * intercept, -np.inf)
        return loose, np.where(np.isfinite(negative), negative, np.float32(0.0))


class _PhaseBackward(Backward):
    """Carries one row of every part backward through lines that differ from part to part."""

    def add(self, rows: Rows, name: str, value: FloatArray) -> None:
        """Add to the coefficients that rows start with at a node."""
        self._add(rows, name, value)

    def _through_relu(self, node: Relu, value: FloatArray, rows: Rows) -> None:
        lines = self.relaxations[node.name]
        positive = np.maximum(value, 0.0)
        if len(lines.upper_intercept) == 1:
            intercept = positive @ lines.upper_intercept[0]
        else:
            intercept = np.einsum("pk,pk->p", positive, lines.upper_intercept)
        slope = value * np.where(value > 0.0, lines.upper_slope, lines.lower_slope)
        rows.constant += intercept
        rows.error += self._gamma * intercept
        rows.error += 2.0 * UNIT_ROUNDOFF * weighted(np.abs(slope), lines.reach, None)
        self._add(rows, node.input, slope)
