r"""Rows carried backward through a relaxed network, and the steps that lower their bounds; approximate, and fast.

The bound of a row is a function of what may be chosen freely: the slope ``alpha`` in [0, 1] below each unstable ReLU, a
multiplier ``beta >= 0`` of each constraint ``s z(x) >= 0`` on a ReLU's pre-activation, a weight ``theta >= 0`` of each
of some rows over outputs and inputs that are added to it. With c the coefficient at a ReLU, x* the maximiser of the
linear function that arrives at the inputs, and z, y the values at x* when every ReLU is the line that the row chose,

.. math:: \partial_\alpha = \min(c, 0)\, z, \qquad \partial_\beta = s\, z, \qquad \partial_\theta = r(x^*, y).

Steps are Adam's, projected; of every row the best choice met is kept. The least bound is the optimum of the linear
program with a triangle for each unstable ReLU (Salman et al., *A convex relaxation barrier*, NeurIPS 2019; Xu et al.,
*Fast and complete*, ICLR 2021; Wang et al., *Beta-CROWN*, NeurIPS 2021). No rounding error is accounted for: a bound
holds once `netopt.bounds.backward` has carried the row with the choice found here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from netopt.arrays import BoolArray, IntArray
from netopt.bounds.descent_start import Start
from netopt.bounds.ground import Ground
from netopt.bounds.parts import Parts, SingleArray
from netopt.bounds.steps import adam, length, towards_smallest
from netopt.network.network import INPUT
from netopt.network.nodes import Affine, Relu

#: Share of rows that have to be done before the others go on without them.
DONE = 0.3
_SINGLE = np.float32


@dataclass(frozen=True, slots=True, eq=False)
class _Lines:
    """The line above a ReLU, (1 or p, kept), and the slopes of the lines below as far as they are not searched."""

    upper_slope: SingleArray
    intercept: SingleArray
    lower_slope: SingleArray


class Descent:
    """Rows whose choices get better step by step.

    Parameters
    ----------
    parts : the phases of each row's part, and the choice to begin with.

    Attributes
    ----------
    value : (p,) the best bounds; approximate.
    """

    def __init__(self, ground: Ground, parts: Parts, start: Start) -> None:
        self._ground, self._parts, self._start = ground, parts.take(slice(None)), start
        self._phased = bool(parts.phase.any())
        self._fixed = parts.phase != 0
        self._sign: SingleArray = parts.phase.astype(_SINGLE)
        if self._phased:  # what a fixed ReLU is, so that it need not be looked up in every step
            self._parts.slope = np.where(self._fixed, (parts.phase > 0).astype(_SINGLE), parts.slope)
        self._lines = {relu.name: self._of_parts(relu.name) for relu in ground.network.relus}
        self._passed: dict[str, tuple[SingleArray, BoolArray, SingleArray]] = {}
        self._mean, self._square = np.zeros_like(parts.slope), np.zeros_like(parts.slope)
        self._theta_mean, self._theta_square = np.zeros_like(parts.weight), np.zeros_like(parts.weight)
        self._rows: IntArray = np.arange(parts.count)
        self.value = np.full(parts.count, np.inf, dtype=_SINGLE)

    def _of_parts(self, name: str) -> _Lines:
        """Return a Relu's lines; rows whose part fixes neurons have lines of their own."""
        ground, columns, free = self._ground, self._ground.columns[name], self._ground.free[name]
        one = _Lines(ground.upper_slope[name][None], ground.intercept[name][None], ground.lower_slope[name][None])
        phase = self._parts.phase[:, columns]
        if not phase.any():
            return one
        shape = (self._parts.count, one.upper_slope.shape[1])
        slope, intercept = (np.array(np.broadcast_to(a, shape)) for a in (one.upper_slope, one.intercept))
        where = slice(None) if free is None else free
        slope[:, where] = np.where(phase == 0, slope[:, where], phase > 0)
        intercept[:, where] *= phase == 0
        return _Lines(slope, intercept, one.lower_slope)

    def run(
        self,
        steps: int,
        stopped: Callable[[], bool] = lambda: False,
        visit: Callable[[SingleArray], None] | None = None,
    ) -> Parts:
        """Make some steps, and return the best choices met; their bounds are left in `value`.

        Parameters
        ----------
        stopped : asked before every step; so is whether every row has reached its target.
        visit : hears of every row's maximisers (p, n); without it, rows at their targets are left out of further steps.
        """
        best = self._parts.take(np.arange(self._parts.count))
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            for step in range(steps + 1):
                value, points = self._carry(step < steps or visit is not None)
                self._keep(best, value)
                if visit is not None and points is not None:
                    visit(points)
                done = self.value[self._rows] <= self._start.target
                if step == steps or points is None or done.all() or stopped():
                    break
                self._move(step, *self._forward(points))
                if visit is None and done.mean() > DONE:
                    self._drop(done)
        return best

    def bounds(self) -> SingleArray:
        """Return the bounds of the present choice, (p,)."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            return self._carry(False)[0]

    def last(self) -> tuple[SingleArray, SingleArray]:
        """Return the unstable neurons' pre-activations at the maximisers of the present choice, and the rows there."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            points = self._carry(True)[1]
            assert points is not None
            before, coefficient, _ = self._forward(points)
        return before, coefficient

    def _keep(self, best: Parts, value: SingleArray) -> None:
        """Note the choices that are better than before."""
        better = value < self.value[self._rows]
        rows = self._rows[better]
        self.value[rows] = value[better]
        best.slope[rows], best.weight[rows] = self._parts.slope[better], self._parts.weight[better]
        if self._phased:
            best.multiplier[rows] = self._parts.multiplier[better]

    def _drop(self, done: BoolArray) -> None:
        """Go on without some rows."""
        left = ~done
        self._rows, self._parts, self._start = self._rows[left], self._parts.take(left), self._start.take(left)
        self._mean, self._square = self._mean[left], self._square[left]
        self._theta_mean, self._theta_square = self._theta_mean[left], self._theta_square[left]
        self._fixed, self._sign = self._fixed[left], self._sign[left]
        for name, lines in self._lines.items():
            if len(lines.upper_slope) == done.size > 1:
                self._lines[name] = replace(lines, upper_slope=lines.upper_slope[left], intercept=lines.intercept[left])

    def _carry(self, wanted: bool) -> tuple[SingleArray, SingleArray | None]:
        """Return the bounds of the rows, (p,), and the maximisers, (p, n), where they are wanted."""
        start, parts, network = self._start, self._parts, self._ground.network
        rows = dict(start.fixed)
        constant = start.constant + np.einsum("pr,pr->p", parts.weight, start.offset)
        theta = parts.weight.astype(_SINGLE)
        if theta.any():
            _add(rows, network.output, np.einsum("pr,prm->pm", theta, start.output_rows))
            if start.input_rows is not None:
                _add(rows, INPUT, np.einsum("pr,prn->pn", theta, start.input_rows))
        if self._phased:
            signed = parts.multiplier * self._sign
            for relu in network.relus:
                _add(rows, relu.input, self._scattered(relu, signed[:, self._ground.columns[relu.name]]))
        self._passed = {}
        for node in reversed(network.nodes):
            row = rows.pop(node.name, None)
            if row is None:
                continue
            if isinstance(node, Relu):
                lines = self._lines[node.name]
                above = row > 0.0
                slope = np.where(above, lines.upper_slope, self._below(node))
                constant = constant + _dot(np.maximum(row, 0.0), lines.intercept)
                self._passed[node.name] = slope, above, row
                _add(rows, node.input, row * slope)
            else:
                constant = constant + row @ node.bias
                for source, linear_map in zip(node.inputs, node.maps, strict=True):
                    _add(rows, source, linear_map.apply_transpose(row))
        reached = rows.get(INPUT)
        if reached is None:
            reached = np.zeros((parts.count, network.input_size), dtype=_SINGLE)
        value, points = self._ground.maximize(reached, wanted)
        value = (value + constant).astype(_SINGLE)
        return np.where(np.isfinite(value), value, _SINGLE(np.inf)), points

    def _below(self, relu: Relu) -> SingleArray:
        """Return the slopes of the lines below, (p, kept)."""
        columns, free = self._ground.columns[relu.name], self._ground.free[relu.name]
        slope = self._parts.slope[:, columns]
        if free is None:
            return slope
        every = np.repeat(self._lines[relu.name].lower_slope, len(slope), axis=0)
        every[:, free] = slope
        return every

    def _scattered(self, relu: Relu, value: SingleArray) -> SingleArray:
        free = self._ground.free[relu.name]
        if free is None:
            return value
        every = np.zeros((len(value), relu.size), dtype=_SINGLE)
        every[:, free] = value
        return every

    def _forward(self, points: SingleArray) -> tuple[SingleArray, SingleArray, SingleArray | None]:
        """Return the unstable neurons' pre-activations at the maximisers, the coefficients there, the weighted rows."""
        ground, values = self._ground, {INPUT: points}
        shape = self._parts.slope.shape
        before, coefficient = np.zeros(shape, dtype=_SINGLE), np.zeros(shape, dtype=_SINGLE)
        wanted = self._wanted()
        for node in ground.network.nodes[:wanted]:
            if isinstance(node, Affine):
                values[node.name] = node.value(values, len(points))
                continue
            value, free, columns = values[node.input], ground.free[node.name], ground.columns[node.name]
            where = slice(None) if free is None else free
            before[:, columns] = value[:, where]
            passed = self._passed.get(node.name)
            if passed is None:
                values[node.name] = np.maximum(value, 0.0)
                continue
            slope, above, row = passed
            coefficient[:, columns] = row[:, where]
            values[node.name] = value * slope + above * self._lines[node.name].intercept
        start = self._start
        if self._parts.weight.shape[1] == 0 or ground.network.output not in values:
            return before, coefficient, None
        rows = np.einsum("prm,pm->pr", start.output_rows, values[ground.network.output]) + start.offset
        if start.input_rows is not None:
            rows = rows + np.einsum("prn,pn->pr", start.input_rows, points)
        return before, coefficient, rows

    def _wanted(self) -> int:
        """Return how many nodes the gradients depend on."""
        network = self._ground.network
        if self._parts.weight.shape[1]:
            return len(network.nodes)
        last = [k for k, node in enumerate(network.nodes) if node.name in self._start.fixed]
        return max(last, default=-1) + 1

    def _move(self, step: int, before: SingleArray, coefficient: SingleArray, rows: SingleArray | None) -> None:
        """Step down the gradient; a neuron has either a slope or a multiplier."""
        parts = self._parts
        gradient = np.minimum(coefficient, 0.0) * before
        if self._phased:
            gradient = np.where(self._fixed, self._sign * before, gradient)
        move = adam(self._mean, self._square, gradient, step)
        if self._phased:
            typical = np.abs(coefficient).sum(axis=1, keepdims=True) / max(coefficient.shape[1], 1)
            multiplier = np.maximum(parts.multiplier - typical * move, 0.0)
            parts.multiplier = np.where(self._fixed, multiplier, _SINGLE(0.0))
            move[self._fixed] = 0.0
        parts.slope = np.clip(parts.slope - move, _SINGLE(0.0), _SINGLE(1.0))
        if rows is not None:
            self._reweigh(step, rows)

    def _reweigh(self, step: int, rows: SingleArray) -> None:
        parts, start = self._parts, self._start
        if start.simplex:
            if parts.weight.shape[1] > 1:
                parts.weight = towards_smallest(parts.weight, rows, length(step))
            return
        move = adam(self._theta_mean, self._theta_square, rows.astype(np.float64), step)
        parts.weight = np.maximum(parts.weight - start.scale[:, None] * move, 0.0)


def _add(rows: dict[str, SingleArray], name: str, value: SingleArray) -> None:
    present = rows.get(name)
    rows[name] = value if present is None else present + value


def _dot(row: SingleArray, line: SingleArray) -> SingleArray:
    product: SingleArray = row @ line[0] if len(line) == 1 else np.einsum("pk,pk->p", row, line)
    return product
