r"""A relaxed model of a network: rows split, slacks ranged, slacks tied to each other by cutting planes.

Ties come from the relaxation of the model itself: solve its LP, project the slacks found onto the image of the domain
under the pruned part (`netopt.relaxation.separation`), add the separating direction with its support as a row, repeat.
The first directions are those of CROWN: with them a layer that is all slack bounds the objective no worse than CROWN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from formulations.formulation import Formulation
from netopt.arrays import FloatArray
from netopt.bounds.preactivation import PreactivationBounds
from netopt.encoding.encode import inlined
from netopt.engines.milp import SlackModel, build_slack_model
from netopt.engines.objective import SlackObjective
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine
from netopt.relaxation.remainder import Remainder
from netopt.relaxation.separation import Separator
from netopt.relaxation.split import put_back, split_rows
from netopt.relaxation.support import Support
from netopt.solvers.growing_lp import GrowingLp
from netopt.specification.domain import Domain

#: Rounds of ties end when this many in a row improve the LP bound by less than `_STALLED` of what all have gained.
_WINDOW, _STALLED = 10, 0.02


@dataclass(frozen=True, slots=True, eq=False)
class RelaxedModel:
    """A network, what is asked of it, and the part of its rows that is slack.

    Attributes
    ----------
    remainders : name of the Relu -> what replaces a part of its rows.
    """

    network: Network
    domain: Domain
    objective: SlackObjective
    bounds: PreactivationBounds
    formulation: Formulation
    support: Support
    remainders: dict[str, Remainder]

    @classmethod
    def split(
        cls,
        network: Network,
        domain: Domain,
        objective: SlackObjective,
        bounds: PreactivationBounds,
        formulation: Formulation,
        rate: float,
        deep_rate: float = 0.0,
    ) -> RelaxedModel:
        """Return the relaxation in which a part of the weights is slack.

        Parameters
        ----------
        rate, deep_rate : fractions, in layers that read the inputs alone and in the others.
        """
        support = Support(network, domain, bounds)
        remainders = {}
        for relu in inlined(network):
            affine = network[relu.input]
            assert isinstance(affine, Affine)
            share = rate if set(affine.inputs) == {INPUT} else deep_rate
            part = split_rows(affine, support, bounds.upper[relu.name] > 0.0, share)
            if any(linear_map.parameters for linear_map in part.maps):
                remainders[relu.name] = support.remainder(part)
        return cls(network, domain, objective, bounds, formulation, support, remainders)

    @property
    def _of_inputs(self) -> dict[str, Remainder]:
        """The remainders of layers that read the inputs alone: only these have an image to separate from."""
        return {name: part for name, part in self.remainders.items() if set(part.part.inputs) == {INPUT}}

    @property
    def weights(self) -> int:
        """Number of weights that are slack."""
        return sum(remainder.weights for remainder in self.remainders.values())

    def build(self) -> SlackModel:
        """Write the model."""
        return build_slack_model(
            self.network, self.domain, self.objective, self.bounds, self.formulation, remainders=self.remainders
        )

    def tie(self, most: int, should_stop: Callable[[], bool], deadline: float | None) -> RelaxedModel:
        """Return the relaxation with CROWN's ties and up to `most` more a layer."""
        return self._tied_by_crown()._cut(most, should_stop, deadline) if most else self

    def _tied_by_crown(self) -> RelaxedModel:
        """Return the relaxation tied in the directions in which CROWN bounds the objective's rows."""
        rows = -self.objective.conjunction.output_matrix
        tied = {}
        for name, remainder in self._of_inputs.items():
            directions = self.support.crown_directions(rows, self._affine(name))
            largest = np.abs(directions).max(axis=1, initial=0.0)
            usable = (largest > 0.0) & np.isfinite(largest)
            tied[name] = self.support.tied(remainder, directions[usable] / largest[usable, None])
        return replace(self, remainders=self.remainders | tied)

    def _cut(self, most: int, should_stop: Callable[[], bool], deadline: float | None) -> RelaxedModel:
        model = self.build()
        lp = GrowingLp(model.model, should_stop, deadline)
        separators = {name: Separator(self.domain, remainder) for name, remainder in self._of_inputs.items()}
        found: dict[str, list[FloatArray]] = {name: [] for name in separators}
        values: list[float] = []
        while len(values) < most and not should_stop():
            point = lp.solve()
            if point is None:
                break
            values.append(model.model.objective_value(point))
            added = 0
            for name, separator in separators.items():
                direction = separator.direction(_on_neurons(model, name, point))
                if direction is not None:
                    added += self._add(lp, model, name, direction)
                    found[name].append(direction)
            if not added or _stalled(values):
                break
        tied = {
            name: self.support.tied(remainder, np.array(found[name])) if found.get(name) else remainder
            for name, remainder in self.remainders.items()
        }
        return replace(self, remainders=tied)

    def _add(self, lp: GrowingLp, model: SlackModel, name: str, direction: FloatArray) -> int:
        """Add one tie to the LP; return the number of rows added."""
        limits = self.support.tied(self.remainders[name], direction[None]).limits[-1:]
        columns = model.encoding.slacks[name]
        used = np.flatnonzero(columns >= 0)
        row = np.zeros((1, model.model.column_count))
        row[0, columns[used]] = direction[used]
        if not np.isfinite(limits).all():
            return 0
        lp.add_rows(row[: limits.size], limits)
        return limits.size

    def point(self, model: SlackModel, values: FloatArray) -> FloatArray:
        """Return a member of the domain (n,) near a point of the model."""
        x = model.input_of(values)
        if not self._of_inputs:
            return x
        name = max(self._of_inputs, key=lambda name: self.remainders[name].weights)
        separator = Separator(self.domain, self.remainders[name])
        return separator.nearest(_on_neurons(model, name, values))

    def refined(self, model: SlackModel, values: FloatArray, share: float) -> RelaxedModel:
        """Return the relaxation with the rows put back whose slack is furthest from the truth at a point of the model.

        Layers behind the first become whole.

        Parameters
        ----------
        share : fraction of the slack weights that come back at least.
        """
        remainders = {}
        for name, remainder in self._of_inputs.items():
            gap = Separator(self.domain, remainder).gap(_on_neurons(model, name, values))
            affine = self.network[self._affine(name)]
            assert isinstance(affine, Affine)
            part = put_back(affine, remainder, gap, share)
            if any(linear_map.parameters for linear_map in part.maps):
                remainders[name] = self.support.remainder(part)
        return replace(self, remainders=remainders)

    def _affine(self, name: str) -> str:
        return next(relu.input for relu in self.network.relus if relu.name == name)


def _on_neurons(model: SlackModel, name: str, values: FloatArray) -> FloatArray:
    """Return the slack of every neuron of a Relu, zero where nothing is pruned."""
    columns = model.encoding.slacks[name]
    return np.where(columns >= 0, values[columns], 0.0)


def _stalled(values: list[float]) -> bool:
    if len(values) <= _WINDOW:
        return False
    return abs(values[-1 - _WINDOW] - values[-1]) <= _STALLED * abs(values[0] - values[-1])
