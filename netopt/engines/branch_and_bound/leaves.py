r"""Parts that splitting cannot improve, solved as linear programs: exact where every ReLU is fixed.

The program has the inputs, and for each ReLU with pre-activation a the parts ``y - s = a``, ``y, s >= 0``: ``s = 0``
where it is active, ``y = 0`` where it is inactive, else ``y / u + s / (-l) <= 1``, which is the triangle. Its optimum
is the least bound that `netopt.bounds.phases` can give a part, and its multipliers are what gives it: with mu the
multiplier of ``y - s = a`` and c the coefficient that the rows behind give y,

.. math:: \alpha = \mu / c, \qquad \beta = \mu - c \;\; \text{(active)}, \qquad \beta = -\mu \;\; \text{(inactive)},

and lambda those of the objective's rows. A part without a point has a Farkas ray instead, which makes the bound as low
as wanted. Nothing the solver says is believed: the bound is that of `PhaseBounds`, rounding included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy import sparse

from formulations.errors import FormulationError
from formulations.formulation import Formulation, ReluColumns, ReluLayer
from formulations.milp import VANISHED, IntArray, MilpBuilder, MilpModel
from formulations.phase_rows import add_parts
from netopt.arrays import FloatArray
from netopt.bounds.interval import collect
from netopt.bounds.parts import PartBounds, Parts
from netopt.bounds.phases import PhaseBounds
from netopt.engines.branch_and_bound.search import Problem
from netopt.engines.milp import build_slack_model
from netopt.errors import ModelNumbersError
from netopt.solvers.lp_session import LpSession

#: Lengths of a Farkas ray that are tried, in multiples of the ray's largest entry.
_LENGTHS = 10.0 ** np.arange(0.0, 9.0)
#: A free neuron this near to its ReLU, relative to its range, is on it.
_TIGHT = 1e-7


@dataclass(frozen=True, slots=True)
class _TriangleParts(Formulation):
    """The triangle in the parts y and s of the pre-activation."""

    name: ClassVar[str] = "triangle-parts"
    exact: ClassVar[bool] = False

    def _encode_unstable(self, builder: MilpBuilder, layer: ReluLayer, inputs: IntArray) -> ReluColumns:
        lower, upper, vanished = layer.lower, layer.upper, np.full(layer.neurons, VANISHED)
        y = builder.add_columns(layer.neurons, lower=0.0, upper=np.inf, name=layer.name, index=layer.index)
        s = add_parts(builder, layer, inputs, y)
        builder.add_rows((y, -lower), (s, upper), upper=-lower * upper, name=f"{layer.name}.chord", index=layer.index)
        return ReluColumns(output=y, binary=vanished, preactivation=vanished, auxiliary=s)


class LeafPrograms:
    """Solves parts, one model an objective; the models are written when they are first needed."""

    def __init__(self, problem: Problem, bounds: PhaseBounds) -> None:
        self._problem, self._bounds = problem, bounds
        self._programs: dict[int, _Program | None] = {}
        self._stopped: Callable[[], bool] = lambda: False

    def solve(self, part: Parts, stopped: Callable[[], bool]) -> tuple[Parts, PartBounds] | None:
        """Return a part with its program's multipliers in float64, and what is known then; None if `stopped` says so.

        `PartBounds.points` is the optimum, moved into the domain; `looseness` is how far each free neuron is from its
        ReLU there, and not positive where that is nothing.
        """
        self._stopped = stopped
        objective = int(part.objective[0])
        if objective not in self._programs:
            self._programs[objective] = self._written(objective)
        program = self._programs[objective]
        if program is None:
            tries, point, looseness = part, None, np.full(part.phase.shape[1], -np.inf)
        else:
            tries, point, looseness = program.solve(part)
        if stopped():
            return None
        upper, functions = self._bounds.prove(tries)
        best = slice(k := int(upper.argmin()), k + 1)
        found = tries.take(best)
        points = self._problem.domain.maximizer(functions.coefficients[best])
        if point is not None:
            points = self._problem.domain.project(point[None])
        return found, PartBounds(upper[best], points, looseness[None])

    def _written(self, objective: int) -> _Program | None:
        """Return the program of an objective, None where its numbers are beyond what the solver takes."""
        try:
            return _Program.of(self._problem, self._bounds, objective, lambda: self._stopped())
        except (ModelNumbersError, FormulationError):
            return None  # multipliers only help: the part keeps the bound it has


@dataclass(frozen=True, slots=True, eq=False)
class _Program:
    """The model of one objective, kept in the solver.

    Attributes
    ----------
    inputs : columns of the inputs.
    place : (neurons,) columns of `Parts`; those of neurons that the smaller network's own bounds settle are missing.
    positive, negative : (neurons,) columns y and s.
    affine, chord, limit : (neurons,) rows ``y - s = a`` and ``u s - l y <= limit``.
    behind : (rows, neurons) what the rows behind a neuron make of its y.
    rows : of the objective, where there are several.
    """

    model: MilpModel
    session: LpSession
    norm: FloatArray
    inputs: IntArray
    place: IntArray
    positive: IntArray
    negative: IntArray
    affine: IntArray
    chord: IntArray
    limit: FloatArray
    behind: sparse.csc_array
    rows: IntArray

    @classmethod
    def of(cls, problem: Problem, bounds: PhaseBounds, objective: int, stopped: Callable[[], bool]) -> _Program:
        state = bounds.ground.condensed.state
        slack = problem.objectives[objective]
        written = build_slack_model(state.network, problem.domain, slack, collect(state, "crown"), _TriangleParts())
        encoding, model = written.encoding, written.model
        lower, upper = model.column_lower.copy(), model.column_upper.copy()
        nothing = np.empty(0, dtype=np.int64)
        place, positive, negative = [nothing], [nothing], [nothing]
        for name, columns in encoding.relus.items():
            unstable, free = encoding.layers[name].unstable, bounds.ground.free[name]
            neurons = encoding.layers[name].index[unstable]
            place.append(bounds.ground.columns[name].start + (neurons if free is None else free.searchsorted(neurons)))
            stable = columns.output[~unstable]
            lower[stable], upper[stable] = -np.inf, np.inf  # what phases imply of them needs no multiplier
            positive.append(columns.output[unstable])
            negative.append(columns.auxiliary)
        y, s = np.concatenate(positive), np.concatenate(negative)
        upper[s] = np.inf
        model = replace(model, column_lower=lower, column_upper=upper)
        entries = sparse.csc_array(model.matrix)
        pairs, signs = entries[:, s].indices.reshape(-1, 2), entries[:, s].data.reshape(-1, 2)
        affine = np.where(signs[:, 0] < 0.0, pairs[:, 0], pairs[:, 1]).astype(np.int64)
        chord = np.where(signs[:, 0] < 0.0, pairs[:, 1], pairs[:, 0]).astype(np.int64)
        behind = entries[:, y].tocoo()
        others = (behind.row != affine[behind.col]) & (behind.row != chord[behind.col])
        return cls(
            model=model,
            session=LpSession(model, stopped),
            norm=slack.norm,
            inputs=encoding.inputs,
            place=np.concatenate(place),
            positive=y,
            negative=s,
            affine=affine,
            chord=chord,
            limit=model.row_upper[chord],
            behind=sparse.csc_array(
                (behind.data[others], (behind.row[others], behind.col[others])), shape=behind.shape
            ),
            rows=np.arange(model.row_count - slack.rows, model.row_count) if written.margin.size else nothing,
        )

    def solve(self, part: Parts) -> tuple[Parts, FloatArray | None, FloatArray]:
        """Return the part with several choices of multipliers, the optimal inputs, and how loose each neuron is."""
        phase, session = part.phase[0, self.place], self.session
        session.bound_columns(self.positive, np.zeros(phase.size), np.where(phase < 0, 0.0, np.inf))
        session.bound_columns(self.negative, np.zeros(phase.size), np.where(phase > 0, 0.0, np.inf))
        session.bound_rows(self.chord, np.full(phase.size, -np.inf), np.where(phase == 0, self.limit, np.inf))
        used = np.flatnonzero(self.model.objective)
        duals, ray, values = session.minimize(used, -self.model.objective[used]), session.ray(), session.point()
        tries = [part]
        if duals is not None:
            tries.append(self._choice(part, -duals, self.model.objective[self.positive]))
        if ray is not None:
            largest = np.abs(ray).max(initial=np.finfo(np.float64).tiny)
            tries += [self._choice(part, k / largest * ray, 0.0) for k in np.concatenate([-_LENGTHS, _LENGTHS])]
        joined = tries[0]
        for other in tries[1:]:
            joined = joined.then(other)
        looseness = np.full(part.phase.shape[1], -np.inf)
        if values is None:
            return joined, None, looseness
        loose = np.minimum(values[self.positive], values[self.negative])
        reach = np.sqrt(self.limit)  # between -l and u
        looseness[self.place] = np.where((phase == 0) & (loose > _TIGHT * reach), loose, -np.inf)
        return joined, values[self.inputs], looseness

    def _choice(self, part: Parts, multipliers: FloatArray, front: FloatArray | float) -> Parts:
        """Return the part with the slopes, multipliers and weights that the rows' multipliers stand for."""
        phase = part.phase[0, self.place]
        before = multipliers[self.affine]
        coefficient = front - self.behind.T @ multipliers
        ratio = np.divide(before, coefficient, out=np.zeros(phase.size), where=coefficient < 0.0)
        beta = np.where(phase > 0, before - coefficient, np.where(phase < 0, -before, 0.0))
        weight = part.weight
        if self.rows.size and (multipliers[self.rows] > 0.0).any():
            weight = np.zeros(part.weight.shape)
            weight[0, : self.rows.size] = np.maximum(multipliers[self.rows], 0.0) * self.norm
        slope, multiplier = part.slope.astype(np.float64), part.multiplier.astype(np.float64)
        slope[0, self.place], multiplier[0, self.place] = np.clip(ratio, 0.0, 1.0), np.maximum(beta, 0.0)
        return replace(part, slope=slope, multiplier=multiplier, weight=weight)
