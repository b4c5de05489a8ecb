"""Starts from bounds: where CROWN's linear functions above the objective's rows are largest.

They see the whole domain at once and so lead to basins that gradients at single points miss.
"""

from __future__ import annotations

from netopt.arrays import FloatArray
from netopt.attack.objective import SlackBatch
from netopt.bounds.crown import crown_bounds
from netopt.bounds.rows import upper_functions
from netopt.network.network import Network
from netopt.specification.domain import Domain


def relaxed_starts(
    network: Network, domain: Domain, objective: SlackBatch, deadline: float | None = None
) -> FloatArray:
    """Return a member (k, n) of the domain for each of the objective's rows, in their order.

    Parameters
    ----------
    deadline : value of `time.monotonic` at which CROWN stops with interval bounds for the layers that are left.
    """
    bounds = crown_bounds(network, domain, deadline=deadline)
    rows = None if objective.input_matrix is None else -objective.input_matrix
    above = upper_functions(network, domain, bounds, -objective.output_matrix, rows)
    return domain.maximizer(above.coefficients)
