"""One pass over the layers, each bounded with what is known of those before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from formulations.formulation import Formulation
from netopt.arrays import FloatArray, IntArray
from netopt.bounds.crown import crown_sweep, tighten_affine
from netopt.bounds.inputs import as_inputs
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.propagation import Propagation, forward_error
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Relu
from netopt.network.upstream import upstream
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.l1_ball import L1Ball
from netopt.tightening.bounder import Bounder
from netopt.tightening.parallel import Stop, share_out
from netopt.tightening.subproblem import Subproblem, write_subproblem

#: Makes the bounder of one layer from (subproblem, lower, upper, by_sign, stop).
MakeBounder = Callable[[Subproblem, FloatArray, FloatArray, bool, Stop], Bounder]


@dataclass(frozen=True, slots=True)
class TighteningProgress:
    """How far tightening is: `done` of the `total` values of a layer; `unstable` neurons are left in the network."""

    level: str
    layer: str
    done: int
    total: int
    unstable: int


ProgressCallback = Callable[[TighteningProgress], None]


@dataclass(slots=True, eq=False)
class Sweep:
    """Tightens `bounds` layer by layer; `bounds` holds the best known at any time."""

    network: Network
    domain: Domain
    bounds: PreactivationBounds
    level: str
    formulation: Formulation
    make_bounder: MakeBounder
    threads: int
    stop: Stop
    progress: ProgressCallback | None

    def run(self) -> bool:
        """Tighten every layer and the output; return whether there was time for all of them."""
        output = self.network[self.network.output]
        last = self.network[output.input] if isinstance(output, Relu) else output
        targets = dict.fromkeys([*(relu.input for relu in self.network.relus), last.name])
        complete = True
        for name in targets:
            affine = self.network[name]
            assert isinstance(affine, Affine)
            complete = self._layer(affine, is_output=name == last.name) and complete
        return complete

    def _layer(self, affine: Affine, *, is_output: bool) -> bool:
        """Tighten one Affine: by CROWN with the bounds so far, then by the solver."""
        if self.stop():
            return False
        part = upstream(self.network, affine)
        state = self._refresh(part, affine, is_output=is_output)
        lower, upper = state.lower[affine.name][0].copy(), state.upper[affine.name][0].copy()
        self._keep(affine.name, lower, upper)  # the bounder tightens these arrays in place
        exact = set(affine.inputs) == {INPUT} and isinstance(self.domain, Box | L1Ball)
        wanted = _wanted(lower, upper, everything=is_output)
        if exact or not wanted.size:
            return True
        subproblem = write_subproblem(
            part,
            self.domain,
            self.bounds,
            self.formulation,
            forward_error(state)[affine.name][0],
            state.magnitude[affine.name][0],
        )
        bounder = self.make_bounder(subproblem, lower, upper, not is_output, self.stop)

        def on_done(done: int) -> None:
            if self.progress is not None:
                count = self.bounds.unstable_count
                self.progress(TighteningProgress(self.level, affine.name, done, wanted.size, count))

        complete = share_out(wanted, bounder.worker, self.threads, self.stop, on_done)
        self._keep(affine.name, lower, upper)  # once more for the output, which may be their positive part
        return complete

    def _refresh(self, part: Network, affine: Affine, *, is_output: bool) -> Propagation:
        """Bound everything up to `affine`, that one by CROWN over the bounds of the layers before it."""
        known = {name: (self.bounds.lower[name], self.bounds.upper[name]) for name in self.bounds.lower}
        inputs = as_inputs(part, self.domain)
        backward, _ = crown_sweep(part, inputs, known=known, settled=frozenset(known), bound_output=False)
        state = backward.state
        for relu in self.network.relus:
            if relu.input == affine.name:
                state.tighten(affine.name, *known[relu.name])
        if is_output and affine.name == self.network.output:
            state.tighten(affine.name, self.bounds.output_lower, self.bounds.output_upper)
        wanted = np.zeros((1, affine.size), dtype=bool)
        wanted[0, _wanted(state.lower[affine.name][0], state.upper[affine.name][0], everything=is_output)] = True
        tighten_affine(backward, affine, wanted, deadline=self.stop.deadline)
        return state

    def _keep(self, name: str, lower: FloatArray, upper: FloatArray) -> None:
        """Store the bounds of an Affine wherever they belong."""
        readers = [relu.name for relu in self.network.relus if relu.input == name]
        bounds = self.bounds
        changed = replace(
            bounds,
            lower={**bounds.lower, **dict.fromkeys(readers, lower)},
            upper={**bounds.upper, **dict.fromkeys(readers, upper)},
        )
        if name == self.network.output:
            changed = replace(changed, output_lower=lower, output_upper=upper)
        elif self.network.output in readers:
            positive = np.maximum(lower, 0.0), np.maximum(upper, 0.0)
            changed = replace(changed, output_lower=positive[0], output_upper=positive[1])
        self.bounds = changed


def _wanted(lower: FloatArray, upper: FloatArray, *, everything: bool) -> IntArray:
    """Return the values a solver is asked about."""
    if everything:
        return np.flatnonzero(lower < upper)
    return np.flatnonzero((lower < 0.0) & (upper > 0.0))
