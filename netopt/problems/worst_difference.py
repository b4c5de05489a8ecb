r"""The largest difference of two networks over a domain, with proof: :math:`\max_x \max_k |f_k(x) - g_k(x)|`.

Both stand side by side on one input, and every :math:`\pm (f_k - g_k)` is maximised as any network is.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from netopt.arrays import FloatArray
from netopt.checks import as_numbers, check_kind, is_positive
from netopt.errors import InputError, InvalidOptionError
from netopt.network.identity import Identity
from netopt.network.naming import with_prefix
from netopt.network.network import Network
from netopt.network.nodes import Affine
from netopt.problems.maximization import maximize
from netopt.problems.results import MaximizationResult, MaximizationStatus
from netopt.specification.domain import Domain


@dataclass(frozen=True, slots=True, eq=False)
class WorstDifference:
    """What is known of the largest difference of two networks.

    Attributes
    ----------
    value : the largest difference found, replayed in float64.
    bound : no input of the domain has a larger one, up to the tolerances of a MILP solver where one proved it (the
        native engine needs none); infinite where nothing was proven in time.
    proven : whether both agree within the gap asked for, for every output.
    x, output : where it was found, and the output's number; None without a point.
    """

    value: float
    bound: float
    proven: bool
    x: FloatArray | None
    output: int | None


def difference_network(first: Network, second: Network) -> Network:
    """Return the network that computes ``first(x) - second(x)``.

    Raises
    ------
    InputError
        The networks differ in their number of inputs or outputs.
    """
    for network in (first, second):
        check_kind(network, Network, "the network", "read it with netopt.load_network")
    if (first.input_size, first.output_size) != (second.input_size, second.output_size):
        raise InputError(
            f"networks of {first.input_size} inputs and {first.output_size} outputs, and of {second.input_size} and"
            f" {second.output_size}, have no difference; give two of the same shape"
        )
    nodes = [with_prefix(node, "first/") for node in first.nodes] + [
        with_prefix(node, "second/") for node in second.nodes
    ]
    size = first.output_size
    outputs = (f"first/{first.output}", f"second/{second.output}")
    minus = Identity(size).scale_rows(np.full(size, -1.0))
    last = Affine("difference", outputs, (Identity(size), minus), np.zeros(size))
    return first.with_nodes((*nodes, last), last.name)


def worst_difference(
    first: Network,
    second: Network,
    domain: Domain,
    *,
    known: FloatArray | None = None,
    time_limit: float | None = None,
    **options: Any,
) -> WorstDifference:
    """Return the largest difference of two networks over a domain, and a proven bound of it.

    Parameters
    ----------
    known : (m,) bounds of each output's difference that are proven already, for example a certificate's; outputs that
        cannot be the worst are then not looked at.
    time_limit : seconds for the whole call.
    options : as for `netopt.maximize`: solver, gap, threads, seed, ...

    Raises
    ------
    InputError
        The networks differ in their number of inputs or outputs, or an argument or option cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.network.build import from_weights
    >>> from netopt.problems.worst_difference import worst_difference
    >>> from netopt.specification.box import Box
    >>> first = from_weights([[[1.0]], [[1.0]]], [[0.0], [0.0]])
    >>> second = from_weights([[[1.0]], [[0.75]]], [[0.0], [0.0]])
    >>> worst = worst_difference(first, second, Box(np.array([-1.0]), np.array([2.0])))
    >>> round(worst.value, 6), round(worst.bound, 3), worst.proven
    (0.5, 0.5, True)
    """
    network = difference_network(first, second)
    bounds = np.full(network.output_size, np.inf) if known is None else as_numbers(known, "known bounds").copy()
    if bounds.shape != (network.output_size,):
        raise InputError(f"known bounds have shape {bounds.shape}; give one for each of {network.output_size} outputs")
    if not (time_limit is None or is_positive(time_limit)):
        raise InvalidOptionError(f"time_limit is {time_limit!r}; give a positive number of seconds, or None")
    deadline = None if time_limit is None else time.monotonic() + time_limit
    best = WorstDifference(0.0, 0.0, True, None, None)
    proven = np.ones(bounds.size, dtype=bool)
    order = np.argsort(-bounds, kind="stable")
    for place, k in enumerate(order):
        if bounds[k] <= best.value:
            continue
        results = []
        for side, minimize in enumerate((False, True)):
            share = None if deadline is None else _share(deadline, 2 * (order.size - place) - side)
            results.append(maximize(network, domain, output=int(k), minimize=minimize, time_limit=share, **options))
        proven[k] = all(result.status is MaximizationStatus.OPTIMAL for result in results)
        bounds[k] = min(bounds[k], max(_size(result.dual_bound) for result in results))
        best = max([best, *(_at(network, result, int(k)) for result in results)], key=lambda one: one.value)
    return replace(best, bound=float(bounds.max(initial=0.0)), proven=bool((proven | (bounds <= best.value)).all()))


def _share(deadline: float, solves: int) -> float:
    """Return what one of the solves left may take."""
    return max(1e-3, (deadline - time.monotonic()) / solves)


def _size(bound: float | None) -> float:
    return math.inf if bound is None else abs(bound)


def _at(network: Network, result: MaximizationResult, output: int) -> WorstDifference:
    if result.witness is None:
        return WorstDifference(-math.inf, math.inf, False, None, None)
    x = result.witness.x
    return WorstDifference(abs(float(network.forward(x)[output])), math.inf, False, x, output)
