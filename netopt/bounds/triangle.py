r"""Linear programs of parts with few unstable ReLUs: every other neuron is substituted away.

With x the inputs and :math:`y_i` the outputs of the unstable neurons of a part, in topological order, every
pre-activation is a linear function :math:`z_j = c_j x + w_j y + d_j \pm e_j` (e the rounding error), carried backward
through the stable neurons. The program has the rows

.. math:: z_i \le y_i \le s_i z_i + t_i, \quad 0 \le y_i \le u_i, \quad \pm z_j \ge 0 \text{ (fixed)}, \quad
          \nu_r \tau \le b_r + C_r (x, y),

and maximises :math:`\tau`, the smallest normalised slack. It is the triangle relaxation (Ehlers, *Formal verification
of piece-wise linear feed-forward neural networks*, ATVA 2017) with the fixed phases as rows; its dual has the best
slopes, split multipliers and weights of the rows at once. Without an unstable neuron it is exact.

The first basis is what CROWN would use: substituting :math:`y_i` from the last to the first by the line its coefficient
asks for ends at a corner of the box, and is dual feasible.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.bounds.backward import Rows
from netopt.bounds.dual_simplex import Programs, solve
from netopt.bounds.part_state import ObjectivesOfParts, PartState
from netopt.bounds.rounding import TINY, UNIT_ROUNDOFF, sound_upper
from netopt.bounds.unstable_rows import ToUnstable
from netopt.network.network import INPUT
from netopt.network.nodes import Affine


@dataclass(frozen=True, slots=True, eq=False)
class TriangleBounds:
    """What the programs say.

    Attributes
    ----------
    upper : (B,) sound bounds of the smallest normalised slack, -inf where a part is empty.
    points : (B, n) inputs where it is largest.
    looseness : (B, neurons) what the lines of each unstable neuron add to the bound.
    weights : (B, r) of the normalised rows, what each counts in the bound; zeros where a part was found empty.
    slope : (B, neurons) of the line below each unstable neuron that the multipliers amount to; NaN for the others.
    multiplier : (B, neurons) of the fixed phases.
    """

    upper: FloatArray
    points: FloatArray
    looseness: FloatArray
    weights: FloatArray
    slope: FloatArray
    multiplier: FloatArray


def triangle_bounds(
    parts: PartState,
    objectives: ObjectivesOfParts,
    domain_rows: tuple[FloatArray, FloatArray],
    enough: FloatArray,
) -> TriangleBounds:
    """Bound the objectives of parts by their triangle relaxations.

    Parameters
    ----------
    domain_rows : (k, n) and (k,), rows ``A x <= b`` that hold in the whole domain.
    enough : (B,) bounds below that need not be any better.
    """
    build = _Build(parts, objectives, domain_rows)
    with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
        build.add_neurons()
        build.add_objectives()
        programs = build.programs()
    finite = np.isfinite(programs.matrix).all(axis=(1, 2)) & np.isfinite(programs.side).all(axis=1)
    finite &= np.isfinite(programs.lower).all(axis=1) & np.isfinite(programs.upper).all(axis=1)
    upper, points = np.full(finite.size, np.inf), (parts.state.inputs.lower + parts.state.inputs.upper) / 2.0
    looseness, multiplier = np.zeros((2, *parts.lower.shape))
    slope, weights = np.full(parts.lower.shape, np.nan), np.zeros(objectives.norm.shape)
    which = np.flatnonzero(finite)
    if which.size:
        few = programs.take(which)
        answer = solve(few, build.crown_basis(few, which), enough[which])
        upper[which] = build.proven(few, which, answer.multipliers)
        points[which] = answer.point[:, : build.inputs]
        build.note_looseness(looseness, which, answer.multipliers)
        weights[which] = answer.multipliers[:, build.first_objective :] * objectives.norm[which]
        build.note_choices(slope, multiplier, which, few, answer.multipliers)
    points = np.clip(points, parts.state.inputs.lower, parts.state.inputs.upper)
    return TriangleBounds(upper, points, looseness, weights, slope, multiplier)


class _Build:
    """The programs of some parts while they are written.

    Their rows are ``z - y <= 0`` and ``y - s z <= t`` for u neurons each, those of fixed neurons, the domain's and the
    objective's; their variables x, y and tau.
    """

    def __init__(
        self, parts: PartState, objectives: ObjectivesOfParts, domain_rows: tuple[FloatArray, FloatArray]
    ) -> None:
        self.parts, self.objectives, self.network = parts, objectives, parts.state.network
        count, self.inputs = parts.state.inputs.lower.shape
        self.unstable = (parts.lower < 0.0) & (parts.upper > 0.0)
        self.fixed = (parts.phase != 0.0) & ~self.unstable
        self.place = np.where(self.unstable, np.cumsum(self.unstable, axis=1) - 1, -1)
        self.width = int(self.unstable.sum(axis=1).max(initial=0))
        most_fixed = int(self.fixed.sum(axis=1).max(initial=0))
        self.first_fixed = 2 * self.width
        self.first_domain = self.first_fixed + most_fixed
        self.first_objective = self.first_domain + len(domain_rows[1])
        rows = self.first_objective + objectives.norm.shape[1]
        self.matrix = np.zeros((count, rows, self.inputs + self.width + 1))
        self.side = np.zeros((count, rows))
        self.matrix[:, self.first_domain : self.first_objective, : self.inputs] = domain_rows[0]
        self.side[:, self.first_domain : self.first_objective] = domain_rows[1]
        self.slope = np.zeros((count, self.width))
        outputs = np.zeros((count, self.width))
        box = parts.state.inputs
        self.lower = np.concatenate([box.lower, outputs], axis=1)
        self.upper = np.concatenate([box.upper, outputs], axis=1)
        self.columns = self.network.relu_columns
        self.backward = ToUnstable(parts.state, {name: self.place[:, c] for name, c in self.columns.items()})

    def add_neurons(self) -> None:
        """Write the rows of all unstable and fixed neurons."""
        fixed_place = np.cumsum(self.fixed, axis=1) - 1
        for relu in self.network.relus:
            columns = self.columns[relu.name]
            owner, neuron = np.nonzero((self.unstable | self.fixed)[:, columns])
            if not owner.size:
                continue
            node = self.network[relu.input]
            assert isinstance(node, Affine)
            rows = self.backward.start(node, neuron, owner, 1.0)
            function, constant, error = self.backward.collect(rows, self.width)
            column = neuron + columns.start
            free = self.unstable[owner, column]
            self._add_unstable(owner[free], column[free], function[free], constant[free], error[free])
            owner, column = owner[~free], column[~free]
            sign = -self.parts.phase[owner, column]
            place = self.first_fixed + fixed_place[owner, column]
            self.matrix[owner, place, :-1] = sign[:, None] * function[~free]
            self.side[owner, place] = error[~free] - sign * constant[~free]

    def _add_unstable(
        self, owner: IntArray, column: IntArray, function: FloatArray, constant: FloatArray, error: FloatArray
    ) -> None:
        low, high, place = self.parts.lower[owner, column], self.parts.upper[owner, column], self.place[owner, column]
        slope = np.clip(high / (high - low), 0.0, 1.0)
        intercept = np.maximum(-slope * low, high - slope * high) * (1.0 + 8.0 * UNIT_ROUNDOFF)
        intercept += 4.0 * UNIT_ROUNDOFF * high
        self.upper[owner, self.inputs + place] = high
        self.slope[owner, place] = slope
        self.matrix[owner, place, :-1] = function
        self.matrix[owner, place, self.inputs + place] -= 1.0
        self.side[owner, place] = error - constant
        row = self.width + place
        self.matrix[owner, row, :-1] = -slope[:, None] * function
        self.matrix[owner, row, self.inputs + place] += 1.0
        far = slope * (constant + error)
        self.side[owner, row] = intercept + far + 4.0 * UNIT_ROUNDOFF * (intercept + np.abs(far)) + TINY

    def add_objectives(self) -> None:
        """Write the rows of the objectives."""
        count, rows, _ = self.objectives.output.shape
        owner = np.repeat(np.arange(count), rows)
        start = {
            self.network.output: self.objectives.output.reshape(count * rows, -1),
            INPUT: self.objectives.input.reshape(count * rows, -1).copy(),
        }
        carried = Rows(start, np.zeros(owner.size), np.zeros(owner.size), owner)
        function, constant, error = self.backward.collect(carried, self.width)
        objective = slice(self.first_objective, None)
        self.matrix[:, objective, :-1] = -function.reshape(count, rows, -1)
        self.matrix[:, objective, -1] = self.objectives.norm
        self.side[:, objective] = (constant + error).reshape(count, rows) + self.objectives.offset

    def programs(self) -> Programs:
        """Return the programs; what the rounding of the rows themselves may be is on their right side."""
        reach = np.maximum(np.abs(self.lower), np.abs(self.upper))
        size = np.matmul(np.abs(self.matrix[:, :, :-1]), reach[:, :, None])[:, :, 0] + np.abs(self.side)
        offset = np.abs(self.objectives.offset)
        self.side += 8.0 * UNIT_ROUNDOFF * size + self.lower.shape[1] * TINY * (1.0 + reach.sum(axis=1, keepdims=True))
        objective = slice(self.first_objective, None)
        self.side[:, objective] += 4.0 * UNIT_ROUNDOFF * offset
        # The margin is free; these bounds only keep the programs bounded and are not used for what is proven.
        largest = 1.0 + 2.0 * (size[:, objective] / self.objectives.norm).max(axis=1)
        self.lower = np.concatenate([self.lower, -largest[:, None]], axis=1)
        self.upper = np.concatenate([self.upper, largest[:, None]], axis=1)
        goal = np.zeros(self.lower.shape)
        goal[:, -1] = 1.0
        return Programs(goal, self.matrix, self.side, self.lower, self.upper)

    def crown_basis(self, programs: Programs, which: IntArray) -> IntArray:
        """Return the bases that CROWN's choice of lines amounts to, for the row it bounds lowest, (B, v)."""
        found, lowest = programs.corner(), np.full(which.size, np.inf)
        for row in range(self.first_objective, self.side.shape[1]):
            basis, value = self._crown_basis(programs, which, row)
            found = np.where((value < lowest)[:, None], basis, found)
            lowest = np.minimum(lowest, value)
        return found

    def _crown_basis(self, programs: Programs, which: IntArray, row: int) -> tuple[IntArray, FloatArray]:
        v, n = programs.variables, self.inputs
        norm = programs.matrix[:, row, -1]
        left, value = -programs.matrix[:, row, :-1] / norm[:, None], programs.side[:, row] / norm
        basis = np.full((which.size, v), 2 * v + row)
        for k in range(self.width - 1, -1, -1):
            weight = left[:, n + k]
            above = np.maximum(weight, 0.0)
            below = np.where(self.slope[which, k] > 0.5, np.maximum(-weight, 0.0), 0.0)
            left = left - above[:, None] * programs.matrix[:, self.width + k, :-1]
            left -= below[:, None] * programs.matrix[:, k, :-1]
            value = value + above * programs.side[:, self.width + k] + below * programs.side[:, k]
            line = np.where(above > 0.0, 2 * v + self.width + k, v + n + k)
            basis[:, n + k] = np.where(below > 0.0, 2 * v + k, line)
        rising = left[:, :n] >= 0.0
        basis[:, :n] = np.where(rising, np.arange(n), v + np.arange(n))
        corner = np.where(rising, programs.upper[:, :n], programs.lower[:, :n])
        return basis, value + (left[:, :n] * corner).sum(axis=1)

    def proven(self, programs: Programs, which: IntArray, multipliers: FloatArray) -> FloatArray:
        """Return sound bounds (B,): of the combination of the rows that the multipliers make, or -inf where empty."""
        first = self.first_objective
        weight = multipliers[:, first:]
        variables = slice(None, -1)
        reduced = Programs(
            programs.objective[:, variables],
            programs.matrix[:, :, variables],
            programs.side,
            programs.lower[:, variables],
            programs.upper[:, variables],
        )
        bound = reduced.proven(np.zeros(reduced.objective.shape), multipliers)
        scale = (weight * self.objectives.norm[which]).sum(axis=1)
        with np.errstate(over="ignore", invalid="ignore"):
            share = bound / np.where(scale > 0.0, scale, 1.0)
            share += 4.0 * (weight.shape[1] + 2) * UNIT_ROUNDOFF * np.abs(share)
        return np.where(scale > 0.0, sound_upper(share), np.where(bound < 0.0, -np.inf, np.inf))

    def note_looseness(self, looseness: FloatArray, which: IntArray, multipliers: FloatArray) -> None:
        """Add up, for each unstable neuron, its multipliers times how far its lines are from the ReLU at most."""
        part, column = np.nonzero(self.unstable[which])
        place = self.place[which[part], column]
        low, high = self.parts.lower[which[part], column], self.parts.upper[which[part], column]
        above = multipliers[part, self.width + place] * (-low) * (high / (high - low))
        below = multipliers[part, place] * np.minimum(-low, high)
        # The last term decides where no line matters.
        looseness[which[part], column] = above + 1e-3 * below + 1e-12 * np.minimum(-low, high)

    def note_choices(
        self, slope: FloatArray, multiplier: FloatArray, which: IntArray, programs: Programs, multipliers: FloatArray
    ) -> None:
        """Write down which lines below and multipliers of phases the multipliers of the rows stand for.

        A neuron's y has a coefficient c from the rows behind. Where that is negative, the row ``z <= y`` with the
        multiplier m turns it into the line of slope ``m / -c``.
        """
        part, column = np.nonzero(self.unstable[which])
        place = self.place[which[part], column]
        every = -np.einsum("bk,bkv->bv", multipliers, programs.matrix[:, :, self.inputs : -1])
        below, above = multipliers[part, place], multipliers[part, self.width + place]
        behind = np.minimum(every[part, place] - below + above, 0.0)
        share = np.divide(below, -behind, out=np.zeros(below.shape), where=behind < 0.0)
        slope[which[part], column] = np.clip(np.where(np.isfinite(share), share, 0.0), 0.0, 1.0)
        part, column = np.nonzero(self.fixed[which])
        row = self.first_fixed + np.cumsum(self.fixed[which], axis=1)[part, column] - 1
        multiplier[which[part], column] = multipliers[part, row]
