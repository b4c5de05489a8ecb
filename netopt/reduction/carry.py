r"""Bounds of the given network as bounds of the smaller one, widened by what rounding may differ.

Products of weights and folded constants are rounded, and the forward pass sums in another order. With m the sum of the
absolute values that enter an entry (through values written into their readers as well), and K at least the number of
terms, an Affine differs by at most

.. math:: \epsilon = \sum_k |W_k| \epsilon_k + 4 \gamma_{2K} m + \text{underflow},

and a ReLU passes its error on. A phase that the given bounds prove is kept: widening does not cross zero.
"""

from __future__ import annotations

import numpy as np

from netopt.arrays import FloatArray
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.propagation import affine_terms
from netopt.bounds.rounding import TINY, gamma, sound_lower, sound_upper
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Relu
from netopt.reduction.build import Built
from netopt.reduction.plan import Plan
from netopt.reduction.proportional import TOLERANCE
from netopt.specification.domain import Domain


def carry_bounds(
    plan: Plan, built: Built, smaller: Network, domain: Domain, bounds: PreactivationBounds
) -> PreactivationBounds:
    """Return the bounds of `smaller`, which was built from `plan`; nothing is propagated again."""
    error = _errors(plan, built, domain, bounds)
    lower, upper = {}, {}
    for relu in smaller.relus:
        kept = built.kept[relu.name]
        low, high = bounds.lower[relu.name][kept], bounds.upper[relu.name][kept]
        off = error[relu.name][kept]
        lower[relu.name] = np.where(low >= 0.0, np.maximum(low - off, 0.0), sound_lower(low - off))
        upper[relu.name] = np.where(high <= 0.0, np.minimum(high + off, 0.0), sound_upper(high + off))
    off = error[plan.network.output]
    return PreactivationBounds(
        lower=lower,
        upper=upper,
        output_lower=sound_lower(bounds.output_lower - off),
        output_upper=sound_upper(bounds.output_upper + off),
        level=bounds.level,
        network_sha256=smaller.sha256,
    )


def _errors(plan: Plan, built: Built, domain: Domain, bounds: PreactivationBounds) -> dict[str, FloatArray]:
    """Return how far values may be off: of a Relu its pre-activations, of an Affine its own."""
    network = plan.network
    terms = sum(affine_terms(node) + 2 for node in network.affines) + network.input_size + 16
    factor = 4.0 * gamma(2 * terms) + TOLERANCE
    # One row for the magnitudes, one for the errors.
    carried = {INPUT: np.stack([np.maximum(np.abs(domain.lower), np.abs(domain.upper)), np.zeros(domain.dimension)])}
    errors: dict[str, FloatArray] = {}
    lost = terms * TINY * (1.0 + float(carried[INPUT][0].sum()))
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for node in network.nodes:
            if isinstance(node, Relu):
                reach = np.maximum(bounds.upper[node.name], 0.0)
                magnitude, error = carried[node.input]
                magnitude = np.where(built.written_out[node.name], magnitude, reach + error)
                carried[node.name] = np.where(bounds.upper[node.name] <= 0.0, 0.0, np.stack([magnitude, error]))
                errors[node.name] = errors[node.input]
                lost += terms * TINY * float(reach.sum())
                continue
            total = np.stack([np.abs(node.bias), np.zeros(node.size)])
            for source, linear_map in zip(node.inputs, node.maps, strict=True):
                total += linear_map.apply_abs(carried[source])
            total[1] += factor * total[0] + lost
            carried[node.name] = sound_upper(total * (1.0 + factor))
            errors[node.name] = carried[node.name][1]
    return errors
