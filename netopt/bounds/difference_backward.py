r"""Rows over the nodes of two paired networks, carried backward with every pair of ReLUs relaxed together.

A pair of coefficients meets ``A relu(a) + B relu(b)`` (a of the dense, b of the sparse network). Two ways to go on:

- *to the inputs*: what the two coefficients share with opposite signs,
  ``k = min(A^+, B^-)`` or ``-min(A^-, B^+)``, multiplies ``relu(a) - relu(b)`` and takes the planes of
  `netopt.bounds.difference_planes`; the rest is relaxed neuron by neuron, as in `Backward`;
- *keeping the sparse network*: ``A (relu(a) - relu(b)) + (A + B) relu(b)``; the planes bound the first part, the
  second stays as it is. Where so much was pruned that a plane would be further off than the line of ``relu(a)`` alone,
  ``A relu(a) + B relu(b)`` takes that line. What comes out is a linear function of the sparse network's own neurons
  and the inputs.

Rounding: the parts of a coefficient err by ``u`` times the sum, on values no larger than the ReLU's reach; the rest is
as in `Backward`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netopt.arrays import BoolArray, FloatArray
from netopt.bounds.backward import Backward, Rows
from netopt.bounds.difference_planes import Planes
from netopt.bounds.difference_twin import Twin, dense_name, sparse_name
from netopt.bounds.propagation import Propagation
from netopt.bounds.relaxation import Relaxation
from netopt.bounds.rounding import UNIT_ROUNDOFF
from netopt.network.nodes import Node, Relu


class PairedBackward(Backward):
    """Carries rows backward through a twin.

    Parameters
    ----------
    state : bounds of the twin's nodes, over a single domain.
    relaxations : lines of the ReLUs of both networks, by the twin's names.
    planes : name of a Relu -> (planes below, planes above) the difference.
    keep : whether the coefficients of the sparse network's ReLUs are kept; they are then left in ``Rows.coefficients``.
    """

    def __init__(
        self,
        twin: Twin,
        state: Propagation,
        relaxations: Mapping[str, Relaxation],
        planes: Mapping[str, tuple[Planes, Planes]],
        *,
        keep: bool = False,
    ) -> None:
        super().__init__(state, relaxations)
        self.planes = planes
        self.keep = keep
        self._pair = {}
        for relu in twin.dense.relus:
            self._pair[dense_name(relu.name)] = self._pair[sparse_name(relu.name)] = relu

    def _step(self, node: Node, rows: Rows) -> None:
        if not isinstance(node, Relu):
            super()._step(node, rows)
            return
        pair = self._pair[node.name]
        shape = (rows.constant.size, node.size)
        dense = rows.coefficients.pop(dense_name(pair.name), None)
        sparse = rows.coefficients.pop(sparse_name(pair.name), None)
        step = self._keep_sparse if self.keep else self._through_both
        step(pair, np.zeros(shape) if dense is None else dense, np.zeros(shape) if sparse is None else sparse, rows)

    def _keep_sparse(self, pair: Relu, dense: FloatArray, sparse: FloatArray, rows: Rows) -> None:
        below, above = self.planes[pair.name]
        name = sparse_name(pair.name)
        paired = np.where(self._closer(pair, below, above, dense > 0.0), dense, 0.0)
        kept = paired + sparse
        rows.error += 2.0 * UNIT_ROUNDOFF * (np.abs(kept) @ self.state.reach(name)[0])
        rows.coefficients[name] = kept  # the sweep is past this node
        self._alone(dense_name(pair.name), dense - paired, rows)
        self._through_difference(pair, np.maximum(paired, 0.0), np.minimum(paired, 0.0), rows)

    def _closer(self, pair: Relu, below: Planes, above: Planes, upward: BoolArray) -> BoolArray:
        """Return where a plane stays closer to the difference than the dense neuron's own line to its ReLU."""
        lower, upper = (side[dense_name(pair.input)][0] for side in (self.state.lower, self.state.upper))
        unstable = (lower < 0.0) & (upper > 0.0)
        line_above = self.relaxations[dense_name(pair.name)].upper_intercept[0]
        line_below = np.where(unstable, np.minimum(-lower, upper), 0.0)
        return np.where(upward, above.gap <= line_above, below.gap <= line_below)

    def _through_both(self, pair: Relu, dense: FloatArray, sparse: FloatArray, rows: Rows) -> None:
        positive = np.minimum(np.maximum(dense, 0.0), np.maximum(-sparse, 0.0))
        negative = np.maximum(np.minimum(dense, 0.0), np.minimum(-sparse, 0.0))
        shared = positive + negative  # exact: one of the two is zero
        for name, rest in ((dense_name(pair.name), dense - shared), (sparse_name(pair.name), sparse + shared)):
            rows.error += 2.0 * UNIT_ROUNDOFF * (np.abs(rest) @ self.state.reach(name)[0])
            self._alone(name, rest, rows)
        self._through_difference(pair, positive, negative, rows)

    def _alone(self, name: str, value: FloatArray, rows: Rows) -> None:
        """Relax one of the two ReLUs by its own lines."""
        relu = self.state.network[name]
        assert isinstance(relu, Relu)
        self._through_relu(relu, value, rows)

    def _through_difference(self, pair: Relu, positive: FloatArray, negative: FloatArray, rows: Rows) -> None:
        """Replace ``(positive + negative) (relu(a) - relu(b))`` by the planes above and below it."""
        below, above = self.planes[pair.name]
        rows.constant += positive @ above.intercept + negative @ below.intercept
        rows.error += self._gamma * (positive @ np.abs(above.intercept) - negative @ np.abs(below.intercept))
        for name, high, low in (
            (dense_name(pair.input), above.slope_a, below.slope_a),
            (sparse_name(pair.input), above.slope_b, below.slope_b),
        ):
            value = positive * high + negative * low  # exact but for the products: one of the two is zero
            rows.error += 2.0 * UNIT_ROUNDOFF * (np.abs(value) @ self.state.reach(name)[0])
            self._add(rows, name, value)
