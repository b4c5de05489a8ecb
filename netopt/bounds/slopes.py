r"""Upper functions of rows with the slopes below the ReLUs optimised: the dual of the triangle relaxation.

With :math:`\nu_i` the coefficient that a row has at ReLU i on its way to the inputs, the row's bound is

.. math:: U(\alpha) = \max_x\ c(\alpha) x + d(\alpha), \qquad
          \partial U / \partial \alpha_i = \min(\nu_i, 0)\, a_i ,

where a are the pre-activations at a maximiser when each ReLU is replaced by the line chosen for it. Every alpha in
[0, 1] gives a sound bound; the least one is the optimum of the linear program with a triangle for each unstable ReLU
over the same bounds (Salman et al., *A convex relaxation barrier to tight robustness verification of neural networks*,
NeurIPS 2019), which a few dozen steps come close to (Xu et al., *Fast and complete*, ICLR 2021). The steps are Adam's,
projected. The maximisers they visit surround the linear program's point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from netopt.arrays import FloatArray
from netopt.bounds.backward import Backward, Rows, UpperFunctions
from netopt.bounds.inputs import as_inputs
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.propagation import propagate
from netopt.bounds.relaxation import relax
from netopt.bounds.rows import RowMatrix, check_rows, start_rows
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Relu
from netopt.specification.domain import Domain

#: First step, decay of the averages of the gradient and of its square, and what keeps quotients finite.
_STEP, _MOMENTUM, _SQUARES, _LEAST = 0.3, 0.9, 0.99, 1e-12


class _Recording(Backward):
    """Notes the coefficients with which rows reach each ReLU."""

    reached: dict[str, FloatArray]

    def _through_relu(self, node: Relu, value: FloatArray, rows: Rows) -> None:
        self.reached[node.name] = value
        super()._through_relu(node, value, rows)


class SlopeSearch:
    """Rows whose slopes improve step by step, each row with slopes of its own.

    Parameters
    ----------
    bounds, output_matrix, input_matrix : as in `netopt.bounds.rows.bound_rows`; all rows are carried together.

    Raises
    ------
    InputError
        Shapes do not fit, or the bounds belong to another network.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.bounds.crown import crown_bounds
    >>> from netopt.bounds.slopes import SlopeSearch
    >>> from netopt.network.build import from_weights
    >>> from netopt.specification.box import Box
    >>> network = from_weights([[[1.0]], [[-1.0]]], [[0.5], [0.0]])  # -max(0, x + 0.5), at most 0
    >>> box = Box(np.array([-1.0]), np.array([1.0]))
    >>> search = SlopeSearch(network, box, crown_bounds(network, box), np.eye(1))
    >>> search.run(50).round(3).tolist()  # CROWN's own slope gives 0.5
    [0.0]
    """

    def __init__(
        self,
        network: Network,
        domain: Domain,
        bounds: PreactivationBounds,
        output_matrix: FloatArray,
        input_matrix: RowMatrix | None = None,
    ) -> None:
        bounds.require(network)
        self._network, self._domain = network, domain
        self._outputs, self._input_rows = check_rows(network, output_matrix, input_matrix)
        state = propagate(network, as_inputs(network, domain), bounds.pairs)
        count = len(self._outputs)
        self._lines = {relu.name: relax(state.lower[relu.input], state.upper[relu.input]) for relu in network.relus}
        self._free = {
            relu.name: (state.lower[relu.input] < 0.0) & (state.upper[relu.input] > 0.0) for relu in network.relus
        }
        for name, lines in self._lines.items():
            self._lines[name] = replace(lines, lower_slope=np.tile(lines.lower_slope, (count, 1)))
        self._backward = _Recording(state, self._lines)
        self._momentum = {name: np.zeros_like(lines.lower_slope) for name, lines in self._lines.items()}
        self._squares = {name: np.zeros_like(lines.lower_slope) for name, lines in self._lines.items()}
        self._steps = 0
        self.bound = np.full(count, np.inf)

    def run(
        self,
        steps: int,
        *,
        stopped: Callable[[], bool] = lambda: False,
        visit: Callable[[FloatArray], None] = lambda points: None,
    ) -> FloatArray:
        """Make some steps, the first bound being CROWN's, and return the least bounds so far, (r,).

        Parameters
        ----------
        stopped : asked before every step but the first.
        visit : hears of each step's members (r, n) of the domain, where the rows' upper functions are largest.
        """
        for k in range(steps):
            if k and stopped():
                break
            above = self.carry()
            point = self._domain.maximizer(above.coefficients)
            visit(point)
            self._move(point)
        return self.bound

    def carry(self) -> UpperFunctions:
        """Return the upper functions for the present slopes; `bound` keeps the least of their maxima."""
        self._backward.reached = {}
        above = self._backward.run(start_rows(self._network, self._outputs, self._input_rows))
        self.bound = np.fmin(self.bound, above.bound)
        return above

    def _move(self, point: FloatArray) -> None:
        """Step the slopes down the gradient at the maximisers (r, n)."""
        reached = self._backward.reached
        values = self._linearised(point)
        self._steps += 1
        step = _STEP / np.sqrt(self._steps)
        for relu in self._network.relus:
            if relu.name not in reached:
                continue
            lines, mean, square = self._lines[relu.name], self._momentum[relu.name], self._squares[relu.name]
            gradient = np.minimum(reached[relu.name], 0.0) * values[relu.input] * self._free[relu.name]
            mean += (1.0 - _MOMENTUM) * (gradient - mean)
            square += (1.0 - _SQUARES) * (gradient**2 - square)
            size = np.sqrt(square / (1.0 - _SQUARES**self._steps)) + _LEAST
            moved = lines.lower_slope - step * mean / ((1.0 - _MOMENTUM**self._steps) * size)
            # Overflowed values tell no direction: such slopes stay. Those of stable neurons have no gradient.
            slope = np.where(np.isfinite(moved), np.clip(moved, 0.0, 1.0), lines.lower_slope)
            self._lines[relu.name] = replace(lines, lower_slope=slope)

    def _linearised(self, point: FloatArray) -> dict[str, FloatArray]:
        """Return every node's values at the points, each ReLU replaced by the line its coefficient chose."""
        values = {INPUT: point}
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            for node in self._network.nodes:
                if isinstance(node, Relu):
                    a, lines = values[node.input], self._lines[node.name]
                    coefficient = self._backward.reached.get(node.name, np.zeros_like(a))
                    above = a * lines.upper_slope + lines.upper_intercept
                    values[node.name] = np.where(coefficient > 0.0, above, a * lines.lower_slope)
                    continue
                values[node.name] = node.value(values, len(point))
        return values
