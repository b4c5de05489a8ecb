r"""Upper bounds of one row over many parts of a domain, each part with the phases of some ReLUs fixed.

Over the part where ``s_j z_j(x) >= 0`` for the pre-activations ``z_j``, signs ``s_j``, of the fixed neurons,

.. math:: c(x) \le \max_{x \in D} \Big( c(x) + \sum_j \beta_j s_j z_j(x) \Big) \quad (\beta \ge 0),

and the right side is bounded by carrying the row backward. A fixed ReLU is the identity or zero; below an unstable one
lies the line ``alpha_j z`` for every ``alpha_j`` in [0, 1]. Both alpha and beta are improved by subgradient steps: with
x* the maximiser and every ReLU replaced by the line the row used, the derivative by ``beta_j`` is ``s_j z_j(x*)``, by
``alpha_j`` the row's negative coefficient times ``z_j(x*)``. Any values are sound, the best seen are kept.

Wang, Zhang, Xu, Lin, Jana, Hsieh, Kolter, *Beta-CROWN* (NeurIPS 2021).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netopt.arrays import FloatArray, IntArray
from netopt.bounds.backward import Backward, Rows
from netopt.bounds.inputs import as_inputs, weighted
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


@dataclass(slots=True, eq=False)
class Parts:
    """Parts of a domain; every array is (parts, neurons), the neurons of all ReLUs side by side.

    Attributes
    ----------
    phase : 1 where the neuron is fixed active, -1 inactive, 0 free.
    slope : alpha.
    multiplier : beta, zero where the neuron is free.
    """

    phase: NDArray[np.int8]
    slope: FloatArray
    multiplier: FloatArray

    @property
    def count(self) -> int:
        """Number of parts."""
        return len(self.phase)

    def take(self, which: IntArray | slice) -> Parts:
        """Return some of the parts."""
        return Parts(self.phase[which], self.slope[which], self.multiplier[which])

    def halves(self, neuron: IntArray) -> Parts:
        """Return each part with its `neuron` (parts,) fixed active, then each with it fixed inactive."""
        both = self.take(np.tile(np.arange(self.count), 2))
        both.phase[np.arange(both.count), np.tile(neuron, 2)] = np.repeat(np.array([1, -1], np.int8), self.count)
        return both

    def then(self, other: Parts) -> Parts:
        """Return these parts followed by others."""
        return Parts(
            np.concatenate([self.phase, other.phase]),
            np.concatenate([self.slope, other.slope]),
            np.concatenate([self.multiplier, other.multiplier]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class PartBounds:
    """What is known of a row over each of some parts.

    Attributes
    ----------
    upper : (parts,) sound bounds.
    points : (parts, n) members of the domain where the last linear function is largest.
    looseness : (parts, neurons) what each free ReLU's line adds to the bound; -inf where nothing is to be split.
    """

    upper: FloatArray
    points: FloatArray
    looseness: FloatArray


class PhaseBounds:
    """Bounds ``output_row @ f(x) + input_row @ x`` over parts of a domain.

    Parameters
    ----------
    bounds : of the network's pre-activations over the domain.
    output_row, input_row : (m,) and (n,).
    """

    def __init__(
        self,
        network: Network,
        domain: Domain,
        bounds: PreactivationBounds,
        output_row: FloatArray,
        input_row: FloatArray,
    ) -> None:
        bounds.require(network)
        self._domain = domain
        self._state = propagate(network, as_inputs(network, domain), bounds.pairs)
        state = self._state
        self._lines = {r.name: relax(state.lower[r.input], state.upper[r.input]) for r in network.relus}
        ends = np.cumsum([0, *(relu.size for relu in network.relus)])
        self._columns = {r.name: slice(*ends[k : k + 2]) for k, r in enumerate(network.relus)}
        self._rows = {network.output: output_row, INPUT: input_row}
        lower = np.concatenate([np.empty(0), *(state.lower[r.input][0] for r in network.relus)])
        upper = np.concatenate([np.empty(0), *(state.upper[r.input][0] for r in network.relus)])
        self._free = (lower < 0.0) & (upper > 0.0)

    @property
    def batch(self) -> int:
        """Number of parts to bound at a time."""
        return max(1, _PhaseBackward(self, self.whole()).block // 2)

    def whole(self) -> Parts:
        """Return the domain as one part, with CROWN's lines."""
        slopes = [lines.lower_slope for lines in self._lines.values()]
        slope = np.concatenate([np.empty((1, 0)), *slopes], axis=1)
        return Parts(np.zeros(slope.shape, dtype=np.int8), slope, np.zeros(slope.shape))

    def bound(
        self, parts: Parts, steps: int, enough: float, should_stop: Callable[[], bool] = lambda: False
    ) -> PartBounds:
        """Bound the row over parts, and leave in them the slopes and multipliers that did it.

        Parameters
        ----------
        steps : of the subgradient method; they end once all bounds are at most `enough`, or `should_stop` says so.
        """
        fixed, moving = parts.phase != 0, self._free & (parts.phase == 0)
        search = _Search(parts, fixed, moving)
        for step in range(steps + 1):
            backward = _PhaseBackward(self, parts)
            functions = backward.run(self._start(parts, fixed))
            search.keep(functions.bound)
            points = self._domain.maximizer(functions.coefficients)
            value = self._forward(backward, points)
            if step == steps or (search.upper <= enough).all() or should_stop():
                break
            search.step(step, value, self._joined(backward.met))
        row = self._joined(backward.met)
        looseness = np.where(moving, self._looseness(row, value, parts), -np.inf)
        search.restore()
        return PartBounds(search.upper, points, looseness)

    def _start(self, parts: Parts, fixed: NDArray[np.bool_]) -> Rows:
        """Return the row plus the multiplied constraints of every part."""
        coefficients = {name: np.tile(row, (parts.count, 1)) for name, row in self._rows.items()}
        if fixed.any():
            for relu in self._state.network.relus:
                columns = self._columns[relu.name]
                if relu.input not in coefficients:  # else the sum would have to be rounded soundly
                    coefficients[relu.input] = parts.multiplier[:, columns] * parts.phase[:, columns]
        return Rows(coefficients, np.zeros(parts.count), np.zeros(parts.count))

    def lines(self, name: str, parts: Parts) -> Relaxation:
        """Return the lines of a Relu over every part; the reach is that of the whole domain, (1, size)."""
        whole, columns = self._lines[name], self._columns[name]
        phase = parts.phase[:, columns]
        free, active = phase == 0, (phase > 0).astype(np.float64)
        unstable = self._free[columns]
        return Relaxation(
            lower_slope=np.where(free, np.where(unstable, parts.slope[:, columns], whole.lower_slope), active),
            upper_slope=np.where(free, whole.upper_slope, active),
            upper_intercept=np.where(free, whole.upper_intercept, 0.0),
            reach=whole.reach,
        )

    def _forward(self, backward: _PhaseBackward, points: FloatArray) -> FloatArray:
        """Return the pre-activations (parts, neurons) at `points`, every ReLU the line its row used."""
        values, before = {INPUT: points}, {}
        for node in self._state.network.nodes:
            if isinstance(node, Affine):
                value = node.value(values, len(points))
            else:
                before[node.name] = values[node.input]
                value = backward.line(node.name, values[node.input])
            values[node.name] = value
        return self._joined(before)

    def _joined(self, of_relus: dict[str, FloatArray]) -> FloatArray:
        parts = len(next(iter(of_relus.values())))
        joined = np.zeros((parts, self._free.size))
        for name, value in of_relus.items():
            joined[:, self._columns[name]] = value
        return joined

    def _looseness(self, row: FloatArray, value: FloatArray, parts: Parts) -> FloatArray:
        """Return how far each line is from its ReLU at the maximiser, and half of how far it can be."""
        slope = np.concatenate([lines.upper_slope for lines in self._lines.values()], axis=1)
        intercept = np.concatenate([lines.upper_intercept for lines in self._lines.values()], axis=1)
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

    def _through_relu(self, node: Relu, value: FloatArray, rows: Rows) -> None:
        self.met[node.name] = value
        lines = self.relaxations[node.name]
        positive = np.maximum(value, 0.0)
        intercept = np.einsum("pk,pk->p", positive, lines.upper_intercept)
        slope = positive * lines.upper_slope + (value - positive) * lines.lower_slope  # exact: one of the two is zero
        rows.constant += intercept
        rows.error += self._gamma * intercept
        rows.error += 2.0 * UNIT_ROUNDOFF * weighted(np.abs(slope), lines.reach, None)
        self._add(rows, node.input, slope)

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
    """Adam on the slopes and multipliers of some parts, each part's best kept."""

    def __init__(self, parts: Parts, fixed: NDArray[np.bool_], moving: NDArray[np.bool_]) -> None:
        self.upper = np.full(parts.count, np.inf)
        self._parts = parts
        self._fixed, self._moving = fixed, moving
        self._best = parts.slope.copy(), parts.multiplier.copy()
        self._mean = self._square = np.zeros(fixed.shape)

    def keep(self, upper: FloatArray) -> None:
        """Note the bounds that the present values give."""
        better = upper < self.upper
        self.upper = np.where(better, upper, self.upper)
        for best, now in zip(self._best, (self._parts.slope, self._parts.multiplier), strict=True):
            best[better] = now[better]

    def step(self, number: int, value: FloatArray, row: FloatArray) -> None:
        """Take one step against the subgradient; a neuron has either a slope or a multiplier."""
        parts = self._parts
        slope_gradient = np.where(self._moving, np.minimum(row, 0.0) * value, 0.0)
        gradient = np.where(self._fixed, parts.phase * value, slope_gradient)
        gradient[~np.isfinite(gradient)] = 0.0
        self._mean = _DECAY * self._mean + (1.0 - _DECAY) * gradient
        self._square = _SQUARE_DECAY * self._square + (1.0 - _SQUARE_DECAY) * gradient**2
        mean = self._mean / (1.0 - _DECAY ** (number + 1))
        root = np.sqrt(self._square / (1.0 - _SQUARE_DECAY ** (number + 1)))
        move = _STEP * _SHORTER**number * np.divide(mean, root, out=np.zeros_like(mean), where=root > 0.0)
        typical = np.abs(row).mean(axis=1, keepdims=True)
        parts.slope = np.where(self._moving, np.clip(parts.slope - move, 0.0, 1.0), parts.slope)
        parts.multiplier = np.where(self._fixed, np.maximum(parts.multiplier - typical * move, 0.0), 0.0)

    def restore(self) -> None:
        """Leave the best values in the parts."""
        self._parts.slope, self._parts.multiplier = self._best
