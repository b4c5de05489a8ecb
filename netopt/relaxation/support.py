r"""Sound ranges of the pruned parts of layers, and of linear combinations of them.

The support function ``h(V) = max_x V P x`` is taken over the domain itself where P reads the inputs (exactly for boxes
and L1 balls), and by CROWN backward through the layers before it otherwise (`netopt.bounds.backward`, whose account of
rounding covers the product ``V P`` too).
"""

from __future__ import annotations

import numpy as np

from netopt.arrays import BoolArray, FloatArray
from netopt.bounds.backward import Backward
from netopt.bounds.crown import tighten_affine
from netopt.bounds.inputs import as_inputs
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.propagation import propagate
from netopt.bounds.relaxation import relax
from netopt.bounds.rows import start_rows
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine
from netopt.relaxation.remainder import Remainder
from netopt.specification.domain import Domain


class Support:
    """Bounds of anything linear in the nodes of a network over a domain.

    Parameters
    ----------
    bounds : of this network's pre-activations over `domain`, of any level.

    Raises
    ------
    InputError
        The bounds belong to another network, or the domain does not fit.
    """

    def __init__(self, network: Network, domain: Domain, bounds: PreactivationBounds) -> None:
        bounds.require(network)
        self._state = propagate(network, as_inputs(network, domain), bounds.pairs)
        lines = {r.name: relax(self._state.lower[r.input], self._state.upper[r.input]) for r in network.relus}
        self._backward = Backward(self._state, lines)

    def width(self, name: str) -> FloatArray:
        """Return the width of the range of each value of a node, (size,)."""
        width: FloatArray = self._state.upper[name][0] - self._state.lower[name][0]
        return width

    def remainder(self, part: Affine) -> Remainder:
        """Return the range of every row of `part`, without ties between them."""
        state = self._state
        state.affine(part)
        if set(part.inputs) != {INPUT}:  # of the inputs alone, intervals are exact
            wanted: BoolArray = state.upper[part.name] > state.lower[part.name]
            tighten_affine(self._backward, part, wanted)
        lower, upper = state.lower[part.name][0], state.upper[part.name][0]
        used = sum((linear_map.fan_in for linear_map in part.maps), np.zeros(part.size, dtype=np.int64)) > 0
        return Remainder(
            part=part,
            lower=np.where(used, lower, 0.0),  # an empty row is zero, not zero up to rounding
            upper=np.where(used, upper, 0.0),
            directions=np.empty((0, part.size)),
            limits=np.empty(0),
        )

    def crown_directions(self, output_matrix: FloatArray, name: str) -> FloatArray:
        """Return the coefficients (r, size) of the values of a node in the CROWN bound of ``output_matrix @ y``.

        Tied in these directions, a layer whose rows are all slack bounds the rows no worse than CROWN.
        """
        rows = start_rows(self._state.network, output_matrix, None)
        return self._backward.coefficients(rows, name)

    def tied(self, remainder: Remainder, directions: FloatArray) -> Remainder:
        """Return `remainder` with more rows V (k, size); ones whose limit is not finite are left out."""
        limits = self._backward.run(self._backward.combination(remainder.part, directions)).bound
        kept = np.isfinite(limits)
        return Remainder(
            part=remainder.part,
            lower=remainder.lower,
            upper=remainder.upper,
            directions=np.concatenate([remainder.directions, directions[kept]]),
            limits=np.concatenate([remainder.limits, limits[kept]]),
        )
