r"""Upper bounds of objectives over many parts of a domain, each part with the phases of some ReLUs fixed.

Over the part where ``s_j z_j(x) >= 0`` for the pre-activations ``z_j``, signs ``s_j``, of the fixed neurons,

.. math:: c(x) \le \max_{x \in D} \Big( c(x) + \sum_j \beta_j s_j z_j(x) \Big) \quad (\beta \ge 0),

for c any convex combination of the objective's rows, and the right side is bounded by carrying it backward. A fixed
ReLU is the identity or zero; below an unstable one lies the line ``alpha_j z`` for every ``alpha_j`` in [0, 1]. alpha,
beta and the weights lambda of the rows are improved by subgradient steps: with x* the maximiser and every ReLU replaced
by the line the row used, the derivative by ``beta_j`` is ``s_j z_j(x*)``, by ``alpha_j`` the row's negative coefficient
times ``z_j(x*)``, by ``lambda_i`` the value of row i. Any values are sound, the best seen are kept.

Wang, Zhang, Xu, Lin, Jana, Hsieh, Kolter, *Beta-CROWN* (NeurIPS 2021).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.bounds.backward import Backward, Rows
from netopt.bounds.inputs import as_inputs, weighted
from netopt.bounds.objectives import Objectives
from netopt.bounds.parts import PartBounds, Parts
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.propagation import propagate
from netopt.bounds.relaxation import Relaxation, relax
from netopt.bounds.rounding import UNIT_ROUNDOFF
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Relu
from netopt.specification.domain import Domain

#: Adam's decay rates, and its first step: a part of [0, 1] for alpha, of the row's coefficients for beta.
_DECAY, _SQUARE_DECAY, _STEP = 0.9, 0.95, 0.2
#: What every further step is shorter by.
_SHORTER = 0.95


class PhaseBounds:
    """Bounds objectives over parts of a domain.

    Parameters
    ----------
    bounds : of the network's pre-activations over the domain.
    objectives : what is bounded.

    Attributes
    ----------
    neurons : (neurons,) the columns of `Parts`: places of the unstable neurons among those of all ReLUs side by side.
    """

    def __init__(self, network: Network, domain: Domain, bounds: PreactivationBounds, objectives: Objectives) -> None:
        bounds.require(network)
        self._domain, self.objectives = domain, objectives
        self._state = propagate(network, as_inputs(network, domain), bounds.pairs)
        state = self._state
        self._lines = {r.name: relax(state.lower[r.input], state.upper[r.input]) for r in network.relus}
        unstable = {r.name: (state.lower[r.input][0] < 0.0) & (state.upper[r.input][0] > 0.0) for r in network.relus}
        self._unstable = {name: np.flatnonzero(free) for name, free in unstable.items()}
        ends = np.cumsum([0, *(index.size for index in self._unstable.values())])
        self._columns = {name: slice(*ends[k : k + 2]) for k, name in enumerate(self._unstable)}
        self.neurons: IntArray = np.flatnonzero(np.concatenate([np.empty(0, dtype=bool), *unstable.values()]))

    @property
    def batch(self) -> int:
        """Number of parts to bound at a time."""
        return max(1, Backward(self._state, {}).block // 2)

    def place(self, column: int) -> tuple[str, int]:
        """Return the Relu and the neuron in it that a column of `Parts` is about."""
        for name, columns in self._columns.items():
            if column < columns.stop:
                return name, int(self._unstable[name][column - columns.start])
        raise IndexError(f"column {column} of {self.neurons.size}")

    def whole(self) -> Parts:
        """Return the domain as one part an objective, with CROWN's lines and the row that they bound best."""
        slope = np.concatenate(
            [np.empty(0), *(lines.lower_slope[0, self._unstable[name]] for name, lines in self._lines.items())]
        ).astype(np.float32)
        objectives = self.objectives
        rows, shape = objectives.owner.size, (objectives.count, slope.size)
        upper = np.full(objectives.table.shape, np.inf)
        place = np.nonzero(objectives.table >= 0)
        one = np.zeros((rows, objectives.width))
        one[np.arange(rows), place[1]] = 1.0
        single = Parts(
            objectives.owner,
            np.zeros((rows, slope.size), np.int8),
            np.broadcast_to(slope, (rows, slope.size)),
            np.zeros((rows, slope.size), np.float32),
            one,
        )
        step = self.batch
        upper[place] = np.concatenate([self._carry(single.take(slice(k, k + step)))[1] for k in range(0, rows, step)])
        weight = np.zeros(objectives.table.shape)
        weight[np.arange(objectives.count), upper.argmin(axis=1)] = 1.0
        return Parts(
            np.arange(objectives.count),
            np.zeros(shape, np.int8),
            np.tile(slope, (objectives.count, 1)),
            np.zeros(shape, np.float32),
            weight,
        )

    def bound(
        self, parts: Parts, steps: int, enough: FloatArray, stopped: Callable[[], bool] = lambda: False
    ) -> PartBounds:
        """Bound each part's objective over it, and leave in the parts the values that did it.

        Parameters
        ----------
        steps : of the subgradient method; they end once all bounds are at most `enough`, or `stopped` says so.
        enough : (d,) for each objective.
        """
        aim = enough[parts.objective]
        search = _Search(parts)
        for step in range(steps + 1):
            backward, upper, slope = self._carry(parts)
            search.keep(upper)
            points = self._domain.maximizer(slope)
            value, output = self._forward(backward, points)
            if step == steps or (search.upper <= aim).all() or stopped():
                break
            slacks = self.objectives.slacks(parts.objective, output, points)
            search.step(step, value, self._joined(backward.met, parts.count), slacks)
        row = self._joined(backward.met, parts.count)
        looseness = np.where(parts.phase == 0, self._looseness(row, value, parts), -np.inf)
        search.restore()
        return PartBounds(search.upper, points, looseness)

    def _carry(self, parts: Parts) -> tuple[_PhaseBackward, FloatArray, FloatArray]:
        """Return what was met on the way back, the bounds, and the coefficients at the inputs."""
        backward = _PhaseBackward(self, parts)
        functions = backward.run(self._start(backward, parts))
        return backward, self.objectives.bound(parts.objective, parts.weight, functions.bound), functions.coefficients

    def _start(self, backward: _PhaseBackward, parts: Parts) -> Rows:
        """Return the rows plus the multiplied constraints of every part."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            rows = self.objectives.combine(self._state, parts.objective, parts.weight)
            if (parts.phase != 0).any():
                for relu in self._state.network.relus:
                    columns = self._columns[relu.name]
                    signed = np.zeros((parts.count, relu.size))
                    signed[:, self._unstable[relu.name]] = parts.multiplier[:, columns] * parts.phase[:, columns]
                    backward.add(rows, relu.input, signed)
        return rows

    def lines(self, name: str, parts: Parts) -> Relaxation:
        """Return the lines of a Relu over every part; the reach is that of the whole domain, (1, size)."""
        whole, columns, free = self._lines[name], self._columns[name], self._unstable[name]
        phase, shape = parts.phase[:, columns], (parts.count, whole.reach.size)
        lower_slope, upper_slope, upper_intercept = (
            np.array(np.broadcast_to(line, shape))
            for line in (whole.lower_slope, whole.upper_slope, whole.upper_intercept)
        )
        active = (phase > 0).astype(np.float64)
        lower_slope[:, free] = np.where(phase == 0, parts.slope[:, columns], active)
        upper_slope[:, free] = np.where(phase == 0, whole.upper_slope[:, free], active)
        upper_intercept[:, free] *= phase == 0
        return Relaxation(lower_slope, upper_slope, upper_intercept, whole.reach)

    def _forward(self, backward: _PhaseBackward, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return pre-activations (parts, neurons) and outputs at `points`, every ReLU the line its row used."""
        values, before = {INPUT: points}, {}
        for node in self._state.network.nodes:
            if isinstance(node, Affine):
                value = node.value(values, len(points))
            else:
                before[node.name] = values[node.input]
                value = backward.line(node.name, values[node.input])
            values[node.name] = value
        return self._joined(before, len(points)), values[self._state.network.output]

    def _joined(self, of_relus: dict[str, FloatArray], parts: int) -> FloatArray:
        joined = np.zeros((parts, self.neurons.size))
        for name, value in of_relus.items():
            joined[:, self._columns[name]] = value[:, self._unstable[name]]
        return joined

    def _looseness(self, row: FloatArray, value: FloatArray, parts: Parts) -> FloatArray:
        """Return how far each line is from its ReLU at the maximiser, and half of how far it can be."""
        lines = [(whole, self._unstable[name]) for name, whole in self._lines.items()]
        slope = np.concatenate([np.empty((1, 0)), *(whole.upper_slope[:, free] for whole, free in lines)], axis=1)
        intercept = np.concatenate(
            [np.empty((1, 0)), *(whole.upper_intercept[:, free] for whole, free in lines)], axis=1
        )
        rectified = np.maximum(value, 0.0)
        above = np.maximum(row, 0.0) * np.maximum(slope * value + intercept - rectified, 0.0)
        below = np.maximum(-row, 0.0) * np.maximum(rectified - parts.slope * value, 0.0)
        loose: FloatArray = above + below + 0.5 * np.abs(row) * intercept
        return loose


class _PhaseBackward(Backward):
    """Carries one row of every part backward, and remembers what it met at the ReLUs."""

    def __init__(self, bounds: PhaseBounds, parts: Parts) -> None:
        super().__init__(bounds._state, {r.name: bounds.lines(r.name, parts) for r in bounds._state.network.relus})
        self.met: dict[str, FloatArray] = {}

    def add(self, rows: Rows, name: str, value: FloatArray) -> None:
        """Add to the coefficients that rows start with at a node."""
        self._add(rows, name, value)

    def _through_relu(self, node: Relu, value: FloatArray, rows: Rows) -> None:
        self.met[node.name] = value
        lines = self.relaxations[node.name]
        positive = np.maximum(value, 0.0)
        intercept = np.einsum("pk,pk->p", positive, lines.upper_intercept)
        slope = positive * lines.upper_slope + (value - positive) * lines.lower_slope  # exact: one of the two is zero
        rows.constant += intercept
        rows.error += self._gamma * intercept
        rows.error += 2.0 * UNIT_ROUNDOFF * weighted(np.abs(slope), lines.reach, None)
        self.add(rows, node.input, slope)

    def line(self, name: str, value: FloatArray) -> FloatArray:
        """Return the values of the lines used at a Relu."""
        lines, used = self.relaxations[name], self.met.get(name)
        if used is None:
            return np.maximum(value, 0.0)
        chosen: FloatArray = np.where(
            used > 0.0, lines.upper_slope * value + lines.upper_intercept, lines.lower_slope * value
        )
        return chosen


class _Search:
    """Adam on what bounds some parts, each part's best kept."""

    def __init__(self, parts: Parts) -> None:
        self.upper = np.full(parts.count, np.inf)
        self._parts = parts
        self._fixed = parts.phase != 0
        self._best = parts.take(np.arange(parts.count))
        self._mean = self._square = np.zeros(parts.phase.shape)

    def keep(self, upper: FloatArray) -> None:
        """Note the bounds that the present values give."""
        better = np.flatnonzero(upper < self.upper)
        self.upper[better] = upper[better]
        self._best.put(better, self._parts.take(better))

    def step(self, number: int, value: FloatArray, row: FloatArray, slacks: FloatArray) -> None:
        """Take one step against the subgradient; a neuron has either a slope or a multiplier."""
        parts = self._parts
        gradient = np.where(self._fixed, parts.phase * value, np.minimum(row, 0.0) * value)
        gradient[~np.isfinite(gradient)] = 0.0
        self._mean = _DECAY * self._mean + (1.0 - _DECAY) * gradient
        self._square = _SQUARE_DECAY * self._square + (1.0 - _SQUARE_DECAY) * gradient**2
        mean = self._mean / (1.0 - _DECAY ** (number + 1))
        root = np.sqrt(self._square / (1.0 - _SQUARE_DECAY ** (number + 1)))
        length = _STEP * _SHORTER**number
        move = length * np.divide(mean, root, out=np.zeros_like(mean), where=root > 0.0)
        typical = np.abs(row).sum(axis=1, keepdims=True) / max(row.shape[1], 1)
        slope = np.where(self._fixed, parts.slope, np.clip(parts.slope - move, 0.0, 1.0))
        multiplier = np.where(self._fixed, np.maximum(parts.multiplier - typical * move, 0.0), 0.0)
        parts.slope, parts.multiplier = slope.astype(np.float32), multiplier.astype(np.float32)
        if slacks.shape[1] > 1:
            parts.weight = _towards_smallest(parts.weight, slacks, length)

    def restore(self) -> None:
        """Leave the best values in the parts."""
        self._parts.put(slice(None), self._best)


def _towards_smallest(weight: FloatArray, slacks: FloatArray, length: float) -> FloatArray:
    """Return weights moved against the rows' values and projected back onto the simplex, (p, width).

    Notes
    -----
    Duchi, Shalev-Shwartz, Singer, Chandra, *Efficient projections onto the l1-ball* (ICML 2008).
    """
    present = np.isfinite(slacks)
    value = np.where(present, slacks, 0.0)
    value = value - (weight * value).sum(axis=1, keepdims=True)
    size = np.abs(value * present).max(axis=1, keepdims=True)
    moved = np.where(
        present, weight - length * np.divide(value, size, out=np.zeros_like(value), where=size > 0.0), -np.inf
    )
    ordered = -np.sort(-moved, axis=1)
    counts = np.arange(1, moved.shape[1] + 1)
    with np.errstate(invalid="ignore"):
        shift = (np.cumsum(ordered, axis=1) - 1.0) / counts
        last = (ordered > shift).sum(axis=1) - 1
    projected: FloatArray = np.maximum(moved - shift[np.arange(len(moved)), last][:, None], 0.0)
    return projected
