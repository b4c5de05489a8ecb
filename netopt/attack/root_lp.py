"""The root relaxation: the linear program with every unstable ReLU replaced by its triangle, and its point."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from formulations.milp import VANISHED
from formulations.triangle import Triangle
from netopt.arrays import BoolArray, FloatArray, sparse
from netopt.attack.objective import SlackBatch
from netopt.bounds.preactivation import PreactivationBounds
from netopt.encoding.encode import encode
from netopt.network.network import Network
from netopt.solvers.growing_lp import GrowingLp
from netopt.specification.domain import Domain


class RootLp:
    """The relaxation of one disjunct's t over a domain; neurons can be fixed to a phase, and freed again.

    Parameters
    ----------
    bounds : pre-activation bounds of this network over this domain.
    disjunct : of the objective.
    stopped, deadline : as in `netopt.solvers.growing_lp.GrowingLp`.

    Raises
    ------
    InputError
        The bounds belong to another network or the domain does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.attack.objective import SlackBatch
    >>> from netopt.attack.root_lp import RootLp
    >>> from netopt.bounds.crown import crown_bounds
    >>> from netopt.network.build import from_weights
    >>> from netopt.specification.box import Box
    >>> network = from_weights([[[1.0]], [[1.0]]], [[0.0], [0.0]])
    >>> box = Box(np.array([-1.0]), np.array([1.0]))
    >>> root = RootLp(network, box, SlackBatch.linear(np.ones(1)), 0, crown_bounds(network, box), lambda: False)
    >>> root.solve().round(6).tolist()
    [1.0]
    """

    def __init__(
        self,
        network: Network,
        domain: Domain,
        objective: SlackBatch,
        disjunct: int,
        bounds: PreactivationBounds,
        stopped: Callable[[], bool],
        deadline: float | None = None,
    ) -> None:
        bounds.require(network)
        encoding = encode(network, domain, bounds, Triangle())
        builder, output = encoding.builder, encoding.output
        rows = np.flatnonzero(objective.owner == disjunct)
        terms = [(output.columns, sparse.csr_array(objective.output_matrix[rows]) @ output.matrix)]
        if objective.input_matrix is not None:
            terms.append((encoding.inputs, objective.input_matrix[rows]))
        upper = objective.bound[rows] - objective.output_matrix[rows] @ output.constant
        t = builder.add_columns(1, lower=-np.inf, upper=np.inf, name="t")
        ones = sparse.csr_array(np.ones((rows.size, 1)))
        builder.add_rows((t, ones), *terms, upper=upper, name="slack")
        builder.set_objective(t, np.ones(1), maximize=True)
        model = builder.build()
        self._lp = GrowingLp(model, stopped, deadline)
        self._inputs, self._columns, self._rows = encoding.inputs, model.column_count, model.row_count
        written = list(encoding.relus.values())
        a = np.concatenate([np.empty(0, dtype=np.int64), *(columns.preactivation for columns in written)])
        y = np.concatenate([np.empty(0, dtype=np.int64), *(columns.output for columns in written)])
        known = a != VANISHED  # stable neurons have no such column
        self._a, self._y = a[known], y[known]
        self._values = np.empty(0)

    def solve(self) -> FloatArray | None:
        """Return the inputs (n,) of an optimal point; None where it was stopped or the phases contradict each other."""
        answer = self._lp.solve()
        if answer is None:
            return None
        self._values = answer
        return np.asarray(answer[self._inputs])

    @property
    def preactivations(self) -> FloatArray:
        """The unstable neurons' pre-activations at the last point solved for, (unstable,)."""
        return np.asarray(self._values[self._a])

    @property
    def gaps(self) -> FloatArray:
        """How far each unstable neuron's output was from its ReLU at the last point solved for, (unstable,)."""
        return np.asarray(np.maximum(self._values[self._y] - np.maximum(self._values[self._a], 0.0), 0.0))

    def fix(self, chosen: BoolArray, active: BoolArray) -> None:
        """Fix some unstable neurons (unstable,) as active or inactive; neurons fixed before are freed."""
        self._lp.remove_rows(self._rows)
        pick = np.flatnonzero(chosen)
        first, second = np.arange(pick.size), pick.size + np.arange(pick.size)
        sign = np.where(active[pick], -1.0, 1.0)  # active: -a <= 0 and y - a <= 0; inactive: a <= 0 and y <= 0
        entries = np.concatenate([sign, np.ones(pick.size), -np.ones(pick.size) * active[pick]])
        row = np.concatenate([first, second, second])
        column = np.concatenate([self._a[pick], self._y[pick], self._a[pick]])
        matrix = sparse.coo_array((entries, (row, column)), shape=(2 * pick.size, self._columns))
        self._lp.add_rows(sparse.csr_array(matrix), np.zeros(2 * pick.size))
