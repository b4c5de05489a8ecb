r"""The linear region of a point, and the linear program over it.

Once every ReLU is fixed to the phase it has at a point, the network is affine: each pre-activation is
:math:`z_k(x) = a_k x + c_k`. The region is :math:`\{x : z_k(x) \ge 0` for active k, :math:`z_k(x) \le 0` for the
others:math:`\}`; on it the objective is the smallest of affine functions, and its maximum over domain and region is
a linear program.

The program starts without the region's rows and gains those its last point violates, most violated along the way from
the region's own point first: few of a network's neurons ever bind, and no others are written down. A row is a backward
sweep through the fixed network, so that no Jacobian of all neurons is formed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from formulations.milp import MilpBuilder
from netopt.arrays import BoolArray, FloatArray, IntArray, sparse
from netopt.attack.objective import SlackBatch
from netopt.network.gradient import pull_back
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Relu
from netopt.solvers.growing_lp import GrowingLp
from netopt.specification.domain import Domain

#: Violations below this, relative to the size of the pre-activations, are left: HiGHS's own tolerance.
_TOLERANCE = 1e-7
#: Rows added in one round, at least; a round adds as many as the program has if that is more.
_ROWS = 32
#: Rounds after which the last point that stays in the region is taken.
_ROUNDS = 60


class Forms(NamedTuple):
    """Affine functions of the inputs, ``matrix @ x + constant``: (rows, n) and (rows,)."""

    matrix: FloatArray
    constant: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """The linear region of a point.

    Attributes
    ----------
    network : the network.
    point : (n,) its point.
    phase : name of the Relu -> (size,) which neurons are active there.
    """

    network: Network
    point: FloatArray
    phase: Mapping[str, BoolArray]

    @classmethod
    def of(cls, network: Network, point: FloatArray) -> Region:
        """Return the region of a point (n,); a pre-activation of zero counts as inactive."""
        phase = {name: value[0] > 0.0 for name, value in network.preactivations(point[None]).items()}
        return cls(network, point, phase)

    def preactivations(self, x: FloatArray) -> FloatArray:
        """Return the fixed network's pre-activations at a point (n,), signed so that the region has them >= 0."""
        values: dict[str, FloatArray] = {INPUT: x[None]}
        signed = [np.empty(0)]
        for node in self.network.nodes:
            if isinstance(node, Relu):
                active = self.phase[node.name]
                z = values[node.input][0]
                signed.append(np.where(active, z, -z))
                values[node.name] = (z * active)[None]
            else:
                values[node.name] = node.value(values, 1)
        return np.concatenate(signed)

    def neurons(self, index: IntArray) -> Forms:
        """Return the signed pre-activations of some neurons, numbered over all Relus in order, as functions of x."""
        starts: dict[str, FloatArray] = {}
        first = 0
        for relu in self.network.relus:
            mine = np.flatnonzero((index >= first) & (index < first + relu.size))
            if mine.size:
                start = starts.setdefault(relu.input, np.zeros((index.size, relu.size)))
                neuron = index[mine] - first
                start[mine, neuron] = np.where(self.phase[relu.name][neuron], 1.0, -1.0)
            first += relu.size
        return self._pulled_back(starts, index.size)

    def outputs(self, coefficients: FloatArray) -> Forms:
        """Return rows over the outputs (rows, m) as functions of x."""
        return self._pulled_back({self.network.output: coefficients}, coefficients.shape[0])

    def _pulled_back(self, coefficients: dict[str, FloatArray], rows: int) -> Forms:
        constant = np.zeros(rows)

        def add_bias(node: Affine, own: FloatArray) -> None:
            constant[:] += own @ node.bias

        return Forms(pull_back(self.network, coefficients, self.phase, add_bias), constant)


def maximize_over_region(
    region: Region,
    domain: Domain,
    objective: SlackBatch,
    disjunct: int,
    *,
    stopped: Callable[[], bool],
    deadline: float | None = None,
) -> FloatArray:
    """Return a point of domain and region with the largest t of a disjunct.

    Parameters
    ----------
    stopped : asked during the work; once it says True, what there is is returned.
    deadline : value of `time.monotonic`, likewise.

    Returns
    -------
    (n,) the maximiser (up to the solver's tolerances, inputs of integer domains relaxed); where the work was stopped,
    the last point on the way there that stays in the region, at worst the region's own.
    """
    x, lp = _program(region, domain, objective, disjunct, stopped, deadline)
    inside, at_inside = region.point, region.preactivations(region.point)
    tolerance = _TOLERANCE * (1.0 + np.abs(at_inside))
    written = np.zeros(at_inside.size, dtype=bool)
    for _ in range(_ROUNDS):
        answer = None if stopped() else lp.solve()
        if answer is None:
            return inside
        candidate = answer[x]
        value = region.preactivations(candidate)
        violated = np.flatnonzero((value < -tolerance) & ~written)
        if not violated.size:
            return candidate
        room = np.maximum(at_inside[violated], 0.0)
        share = room / (room - value[violated])  # how far along the way to the candidate each row is met
        step = float(share.min())
        if step > 0.0:
            inside = inside + step * (candidate - inside)
            at_inside = region.preactivations(inside)
        chosen = violated[np.argsort(share, kind="stable")[: max(_ROWS, int(written.sum()))]]
        forms = region.neurons(chosen)
        rows = np.zeros((chosen.size, answer.size))
        rows[:, x] = -forms.matrix
        lp.add_rows(rows, forms.constant)
        written[chosen] = True
    return inside


def _program(
    region: Region,
    domain: Domain,
    objective: SlackBatch,
    disjunct: int,
    stopped: Callable[[], bool],
    deadline: float | None,
) -> tuple[IntArray, GrowingLp]:
    """Return the input columns and the program over the domain alone, the disjunct's t its objective."""
    mine = np.flatnonzero(objective.owner == disjunct)
    forms = region.outputs(-objective.output_matrix[mine])
    matrix = forms.matrix
    if objective.input_matrix is not None:
        matrix = matrix - objective.input_matrix[mine].toarray()
    constant = forms.constant + objective.bound[mine]
    builder = MilpBuilder()
    x = domain.encode(builder)
    if mine.size == 1:
        builder.set_objective(x, matrix[0], maximize=True)
    else:
        t = builder.add_columns(1, lower=-np.inf, upper=np.inf, name="t")
        ones = sparse.csr_array(np.ones((mine.size, 1)))
        builder.add_rows((t, ones), (x, sparse.csr_array(-matrix)), upper=constant, name="slack")
        builder.set_objective(t, np.ones(1), maximize=True)
    return x, GrowingLp(builder.build(), stopped, deadline)
