"""`netopt.bounds.descent` in torch: the same steps in float32 tensors, on a processor or on a GPU.

Convolutions are torch's. What is found is as approximate as there, and proved the same way.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from netopt.bounds.descent import DONE, Descent
from netopt.bounds.descent_start import Start
from netopt.bounds.parts import Parts, SingleArray
from netopt.bounds.steps import length
from netopt.bounds.torch_device import computing
from netopt.bounds.torch_ground import TorchGround
from netopt.bounds.torch_maps import Tensor
from netopt.bounds.torch_work import TorchLines, Work, adam, towards_smallest
from netopt.network.network import INPUT
from netopt.network.nodes import Affine, Relu


class TorchDescent(Descent):
    """Rows whose choices get better step by step; parameters and results are those of `Descent`."""

    def __init__(self, ground: TorchGround, parts: Parts, start: Start) -> None:
        self._device, self._given, self._begin = ground, parts, start
        self._xp, self._nodes = ground.torch, ground.network.nodes
        self._split = bool(parts.phase.any())
        self.value = np.full(parts.count, np.inf, dtype=np.float32)
        with computing():
            self._prepare()

    def run(
        self,
        steps: int,
        stopped: Callable[[], bool] = lambda: False,
        visit: Callable[[SingleArray], None] | None = None,
    ) -> Parts:
        """Make some steps, and return the best choices met; their bounds are left in `value`.

        Parameters and results are those of `Descent.run`.
        """
        with computing():
            best, weight = self._work.value.clone(), self._work.weight.clone()
            upper = self._work.constant + np.inf
            for step in range(steps + 1):
                work = self._work
                value, points = self._backward()
                better = value < upper[work.rows]
                rows = work.rows[better]
                upper[rows], best[rows], weight[rows] = value[better], work.value[better], work.weight[better]
                if visit is not None:
                    visit(points.cpu().numpy())
                done = upper[work.rows] <= work.target
                finished = float(done.float().mean())
                if step == steps or finished == 1.0 or stopped():
                    break
                self._step(step, *self._linearised(points))
                if visit is None and finished > DONE:
                    self._leave_out(done)
            self.value = upper.cpu().numpy()
            return self._found(best, weight)

    def bounds(self) -> SingleArray:
        """Return the bounds of the present choice, (p,)."""
        with computing():
            value: SingleArray = self._backward()[0].cpu().numpy()
            return value

    def last(self) -> tuple[SingleArray, SingleArray]:
        """Return the unstable neurons' pre-activations at the maximisers of the present choice, and the rows there."""
        with computing():
            before, coefficient, _ = self._linearised(self._backward()[1])
            return before.cpu().numpy(), coefficient.cpu().numpy()

    def _prepare(self) -> None:
        """Bring the rows and the choices to the device."""
        ground, parts, start, xp = self._device, self._given, self._begin, self._xp
        phase = ground.tensor(parts.phase.astype(np.float32))
        fixed = phase != 0.0
        value = xp.where(fixed, ground.tensor(parts.multiplier), ground.tensor(parts.slope))
        weight = ground.tensor(parts.weight)
        self._work = Work(
            value=value,
            weight=weight,
            phase=phase,
            fixed=fixed,
            active=(phase > 0.0).float(),
            high=xp.where(fixed, np.inf, 1.0),
            mean=xp.zeros_like(value),
            square=xp.zeros_like(value),
            weight_mean=xp.zeros_like(weight),
            weight_square=xp.zeros_like(weight),
            constant=ground.tensor(start.constant),
            target=ground.tensor(start.target),
            output_rows=ground.tensor(start.output_rows),
            offset=ground.tensor(start.offset),
            scale=ground.tensor(start.scale)[:, None],
            rows=xp.arange(parts.count, device=ground.device),
        )
        self._constant_rows = {name: ground.tensor(rows) for name, rows in start.fixed.items()}
        self._input_rows = None if start.input_rows is None else ground.tensor(start.input_rows)
        self._own_lines = {name: self._lines_of_parts(name) for name in ground.lines}
        self._met: dict[str, tuple[Tensor, Tensor, Tensor]] = {}

    def _lines_of_parts(self, name: str) -> TorchLines:
        """Return a Relu's lines; rows whose part fixes neurons have lines of their own."""
        whole, columns, place = self._device.lines[name], self._device.columns[name], self._device.places[name]
        fixed = self._work.fixed[:, columns]
        if not self._split or fixed.shape[1] == 0:
            return whole
        shape = (len(fixed), whole.upper_slope.shape[1])
        slope, intercept = whole.upper_slope.expand(shape).clone(), whole.intercept.expand(shape).clone()
        where = slice(None) if place is None else place
        slope[:, where] = self._xp.where(fixed, self._work.active[:, columns], slope[:, where])
        intercept[:, where] = intercept[:, where].masked_fill(fixed, 0.0)
        return TorchLines(slope, intercept, whole.lower_slope)

    def _leave_out(self, done: Tensor) -> None:
        """Go on without some rows."""
        left = (~done).nonzero()[:, 0]
        self._work = self._work.take(left)
        self._constant_rows = {name: rows[left] for name, rows in self._constant_rows.items()}
        self._input_rows = None if self._input_rows is None else self._input_rows[left]
        for name, lines in self._own_lines.items():
            if lines is not self._device.lines[name]:
                self._own_lines[name] = TorchLines(lines.upper_slope[left], lines.intercept[left], lines.lower_slope)

    def _found(self, best: Tensor, weight: Tensor) -> Parts:
        parts, value = self._given, best.cpu().numpy()
        fixed = parts.phase != 0
        return Parts(
            parts.objective,
            parts.phase,
            np.where(fixed, parts.slope, value),
            np.where(fixed, value, np.float32(0.0)),
            weight.double().cpu().numpy(),
        )

    def _backward(self) -> tuple[Tensor, Tensor]:
        """Return the bounds of the rows, (p,), and the maximisers, (p, n)."""
        xp, ground, work = self._xp, self._device, self._work
        rows, constant = dict(self._constant_rows), work.constant
        if work.weight.shape[1]:
            constant = constant + (work.weight * work.offset).sum(1)
            _add(rows, ground.network.output, xp.einsum("pr,prm->pm", work.weight, work.output_rows))
            if self._input_rows is not None:
                _add(rows, INPUT, xp.einsum("pr,prn->pn", work.weight, self._input_rows))
        if self._split:
            multiplier = work.phase * work.value
            for relu in ground.network.relus:
                _add(rows, relu.input, self._at_places(relu, multiplier[:, ground.columns[relu.name]]))
        self._met = {}
        for node in reversed(self._nodes):
            row = rows.pop(node.name, None)
            if row is None:
                continue
            if isinstance(node, Relu):
                lines, above = self._own_lines[node.name], row > 0.0
                slope = xp.where(above, lines.upper_slope, self._slopes_below(node))
                constant = constant + (row.clamp(min=0.0) * lines.intercept).sum(1)
                self._met[node.name] = slope, above, row
                _add(rows, node.input, row * slope)
            else:
                maps, bias = ground.affines[node.name]
                constant = constant + row @ bias
                for source, linear_map in zip(node.inputs, maps, strict=True):
                    _add(rows, source, linear_map.apply_transpose(row))
        reached = rows.get(INPUT)
        if reached is None:
            reached = constant.new_zeros((len(constant), ground.network.input_size))
        value, points = ground.corner(reached)
        return xp.nan_to_num(value + constant, nan=np.inf, posinf=np.inf, neginf=np.inf), points

    def _slopes_below(self, relu: Relu) -> Tensor:
        """Return the slopes of the lines below, (p, kept)."""
        work, columns, place = self._work, self._device.columns[relu.name], self._device.places[relu.name]
        slope = work.value[:, columns]
        if self._split:
            slope = self._xp.where(work.fixed[:, columns], work.active[:, columns], slope)
        if place is None:
            return slope
        every = self._device.lines[relu.name].lower_slope.repeat(len(slope), 1)
        every[:, place] = slope
        return every

    def _at_places(self, relu: Relu, value: Tensor) -> Tensor:
        """Return values of unstable neurons among zeros for the other ones."""
        place = self._device.places[relu.name]
        if place is None:
            return value
        every = value.new_zeros((len(value), relu.size))
        every[:, place] = value
        return every

    def _linearised(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the unstable neurons' pre-activations at the maximisers, the rows there, and the weighted rows."""
        ground, work, values = self._device, self._work, {INPUT: points}
        before, coefficient = self._xp.zeros_like(work.value), self._xp.zeros_like(work.value)
        for node in self._nodes[: self._needed()]:
            if isinstance(node, Affine):
                maps, value = ground.affines[node.name]
                for source, linear_map in zip(node.inputs, maps, strict=True):
                    value = linear_map.apply(values[source]) + value
                values[node.name] = value.expand(len(points), -1)
                continue
            value, place, columns = values[node.input], ground.places[node.name], ground.columns[node.name]
            where = slice(None) if place is None else place
            before[:, columns] = value[:, where]
            if node.name not in self._met:
                values[node.name] = value.clamp(min=0.0)
                continue
            slope, above, row = self._met[node.name]
            coefficient[:, columns] = row[:, where]
            values[node.name] = value * slope + above * self._own_lines[node.name].intercept
        if work.weight.shape[1] == 0:
            return before, coefficient, None
        rows = self._xp.einsum("prm,pm->pr", work.output_rows, values[ground.network.output]) + work.offset
        if self._input_rows is not None:
            rows = rows + self._xp.einsum("prn,pn->pr", self._input_rows, points)
        return before, coefficient, rows

    def _needed(self) -> int:
        """Return how many nodes the gradients depend on."""
        if self._work.weight.shape[1]:
            return len(self._nodes)
        return max((k + 1 for k, node in enumerate(self._nodes) if node.name in self._constant_rows), default=0)

    def _step(self, step: int, before: Tensor, coefficient: Tensor, rows: Tensor | None) -> None:
        """Step down the gradient; a neuron has either a slope or a multiplier."""
        work, xp = self._work, self._xp
        gradient = coefficient.clamp(max=0.0)
        if self._split:
            gradient = xp.where(work.fixed, work.phase, gradient)
        gradient = xp.nan_to_num(gradient * before, nan=0.0, posinf=0.0, neginf=0.0)
        move = adam(work.mean, work.square, gradient, step)
        if self._split:
            typical = coefficient.abs().sum(1, keepdim=True) / max(coefficient.shape[1], 1)
            move = xp.where(work.fixed, move * typical, move)
        work.value = xp.minimum((work.value - move).clamp_(min=0.0), work.high)
        if rows is None:
            return
        if not self._begin.simplex:
            move = adam(work.weight_mean, work.weight_square, xp.nan_to_num(rows), step)
            work.weight = (work.weight - work.scale * move).clamp_(min=0.0)
        elif work.weight.shape[1] > 1:
            work.weight = towards_smallest(work.weight, rows, length(step))


def _add(rows: dict[str, Tensor], name: str, value: Tensor) -> None:
    present = rows.get(name)
    rows[name] = value if present is None else present + value
