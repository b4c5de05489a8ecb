"""Rows as functions of the inputs and of the outputs of unstable neurons: every other neuron is substituted away."""

from __future__ import annotations

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.bounds.backward import Backward, Rows
from netopt.bounds.propagation import Propagation
from netopt.network.network import INPUT
from netopt.network.nodes import Relu

#: Under this name rows keep their coefficients of the unstable neurons.
_STOPPED = "outputs of unstable neurons"


class ToUnstable(Backward):
    """Carries rows backward to the inputs and to the outputs of unstable neurons, where they stop."""

    def __init__(self, state: Propagation, place: dict[str, IntArray]) -> None:
        super().__init__(state, {})
        self._place = place

    def collect(self, rows: Rows, width: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return coefficients (p, n + width), constants and errors (p,) of `rows` (consumed)."""
        count = rows.constant.size
        rows.coefficients[_STOPPED] = np.zeros((count, width))
        for node in reversed(self.state.network.nodes):
            if node.name in rows.coefficients:
                self._step(node, rows)
        slope = rows.coefficients.get(INPUT, np.zeros((count, self.state.network.input_size)))
        owner = rows.owner
        size = (np.abs(slope) * self.state.reach(INPUT)[owner]).sum(axis=1)
        error = 2.0 * (rows.error + self.state.underflow[owner] + self._gamma * size)
        return np.concatenate([slope, rows.coefficients[_STOPPED]], axis=1), rows.constant, error

    def _through_relu(self, node: Relu, value: FloatArray, rows: Rows) -> None:
        owner = rows.owner
        place = self._place[node.name][owner]
        row, neuron = np.nonzero((place >= 0) & (value != 0.0))
        rows.coefficients[_STOPPED][row, place[row, neuron]] = value[row, neuron]
        # What is neither unstable nor active is inactive.
        active = (self.state.lower[node.input] >= 0.0)[owner] & (place < 0)
        self._add(rows, node.input, np.where(active, value, 0.0))
