r"""How far a ticket can be from its target: from the entries of kernels to layers to the network.

Write :math:`\hat h_v` for the ticket's value at node v, :math:`s_v h_v` for the target's times its scale, and
:math:`\Delta_v \ge |\hat h_v - s_v h_v|`. A learned map W from a to v, of factor :math:`f = s_v / s_a`, is
:math:`\hat K^+ x^+ + \hat K^- x^-` in the ticket, with :math:`E^+ = \hat K^+ - f W` and :math:`E^- = \hat K^- + f W`
the entrywise errors. As :math:`f W x = f W x^+ - f W x^-`,

.. math:: |\hat K^+ \hat h_a^+ + \hat K^- \hat h_a^- - f W s_a h_a| \le
          f |W| \Delta_a + |E^+| \max \hat h_a^+ + |E^-| \max \hat h_a^-

where :math:`\max \hat h_a^\pm` follow from bounds of :math:`h_a` over the domain, moved outward by
:math:`\Delta_a`. A map that is kept adds :math:`f |W| \Delta_a`, a bias its own error, and a ReLU does not enlarge
:math:`\Delta`. With entries off by at most e, inputs in [-1, 1] and d x d kernels this is the theorem's
:math:`d^2 c_{in} e` a layer. At the output, :math:`\Delta / s` bounds the difference of the two networks.

Where the ticket can be folded into the target's own shape, the pair is also bounded neuron by neuron
(`netopt.bounds.difference`), which is tighter in deep networks; the smaller of the two counts. Rounding is included:
that of the sums of candidates, of this computation, and of both networks' forward passes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray
from netopt.bounds.difference import difference_bounds
from netopt.bounds.inputs import as_inputs
from netopt.bounds.preactivation import PreactivationBounds, check_bounds
from netopt.bounds.propagation import Propagation, forward_error, propagate
from netopt.network.nodes import Relu
from netopt.specification.domain import Domain
from netopt.ticket.error_sweep import ErrorSweep
from netopt.ticket.found import Found


@dataclass(frozen=True, slots=True)
class LayerError:
    """What is certified of one learned map, in the target's units.

    Attributes
    ----------
    key : the map.
    entry : the largest error of an entry of its kernels.
    layer : what its errors add to an output of the layer at most.
    total : how far an output of the layer can be off, all layers before it included.
    """

    key: str
    entry: float
    layer: float
    total: float


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """Proven bounds of ``|target - ticket|`` over a domain.

    Attributes
    ----------
    layers : one a learned map.
    output : (m,) bound for every output, of what both forward passes compute in float64.
    propagated : (m,) what the errors of the layers alone add up to; `output` is at most this plus rounding.
    """

    layers: tuple[LayerError, ...]
    output: FloatArray
    propagated: FloatArray


def certify(found: Found, domain: Domain, bounds: PreactivationBounds, *, level: str = "crown") -> Certificate:
    """Bound the difference of a ticket and its target over a domain.

    Parameters
    ----------
    bounds : pre-activation bounds of the target over the domain.
    level : of the bounds of the pair, ``"interval"`` or ``"crown"``.

    Raises
    ------
    InputError
        The domain does not fit the target, or the bounds belong to another network.
    """
    target = found.target
    check_bounds(bounds, target)
    inputs = as_inputs(target, domain)
    state = propagate(target, inputs, bounds.pairs)
    sweep = ErrorSweep(found, state, folded=False).run()
    exact = propagated = sweep.of_output()
    if found.folded is not None:
        pair = difference_bounds(target, found.folded, domain, dense_bounds=bounds, level=level)
        apart = np.maximum(np.abs(pair.output_lower), np.abs(pair.output_upper))
        rest = ErrorSweep(found, propagate(found.folded, inputs, {}), folded=True).run()
        exact = np.fmin(propagated, apart + rest.of_output())
    rounding = _rounding(state) + _rounding(propagate(found.network, as_inputs(found.network, domain), {}))
    layers = tuple(
        _layer(found, sweep, one.learned.key, one.learned.node.name, one.learned.factor) for one in found.maps
    )
    return Certificate(layers, np.nextafter(exact + rounding, np.inf), propagated)


def _rounding(state: Propagation) -> FloatArray:
    network = state.network
    output = network[network.output]
    error: FloatArray = forward_error(state)[output.input if isinstance(output, Relu) else output.name][0]
    return error


def _layer(found: Found, sweep: ErrorSweep, key: str, node: str, factor: float) -> LayerError:
    scale = found.scales[node]
    total = float(sweep.error[node].max(initial=0.0))
    return LayerError(key, sweep.entry[key] / factor, sweep.layer[key] / scale, total / scale)
