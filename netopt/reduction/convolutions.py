"""Convolutions of which little is left become sparse matrices: single neurons can then be dropped and merged.

A solver gets the matrix in any case; written out before, the stable neurons next to it need no rows (a network of 5500
ReLUs of which 20 are unstable: 60 rows instead of 3414), and CROWN on it is no slower.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from netopt.arrays import IntArray
from netopt.bounds.preactivation import PreactivationBounds
from netopt.network.convolution import Convolution
from netopt.network.linear_map import LinearMap
from netopt.network.network import Network
from netopt.network.nodes import Affine
from netopt.network.sparse import Sparse
from netopt.reduction.maps import fan_in, pattern
from netopt.reduction.plan import Plan, grains, make_plan
from netopt.specification.domain import Domain

#: A convolution is written out when what is left of it is at most so many multiplications, or such a share of them all,
_SMALL = 1_000_000
_SHARE = 0.25
#: and when the rows that are kept have at most so many weights.
_LARGEST = 10_000_000


def has_convolutions(network: Network) -> bool:
    """Return whether any Affine holds a convolution."""
    return any(isinstance(m, Convolution) for node in network.affines for m in node.maps)


def plan_reduction(network: Network, domain: Domain, bounds: PreactivationBounds) -> Plan:
    """Return what a smaller network keeps, convolutions written out as sparse matrices where that pays."""
    patterns = {node.name: tuple(pattern(m) for m in node.maps) for node in network.affines}
    convolutions = {
        (node.name, k)
        for node in network.affines
        for k, linear_map in enumerate(node.maps)
        if isinstance(linear_map, Convolution)
    }
    chosen: set[tuple[str, int]] = set()
    if convolutions:
        free = make_plan(network, domain, bounds, patterns, grains(network, convolutions))
        chosen = {(name, k) for name, k in convolutions if _pays(free, name, k)}
        chosen -= _written_into_readers(network, bounds, convolutions - chosen)
    # Next to a convolution that stays one whole channels are kept, so rows are chosen with that known.
    plan = make_plan(network, domain, bounds, patterns, grains(network, chosen))
    for name, k in chosen:
        rows = np.flatnonzero(plan.keep[name])
        matrix = _some_rows(plan.maps[name][k], rows)
        plan.maps[name] = (*plan.maps[name][:k], matrix, *plan.maps[name][k + 1 :])
        plan.patterns[name] = (*plan.patterns[name][:k], pattern(matrix), *plan.patterns[name][k + 1 :])
    return plan


def _pays(plan: Plan, name: str, k: int) -> bool:
    node = plan.network[name]
    assert isinstance(node, Affine)
    linear_map, of_pattern, kept = node.maps[k], plan.patterns[name][k], plan.keep[name]
    rows = fan_in(of_pattern, np.ones(linear_map.in_size, dtype=bool))[kept].sum()
    work = fan_in(of_pattern, plan.keep[node.inputs[k]])[kept].sum()
    return bool(kept.any() and rows <= _LARGEST and work <= max(_SMALL, _SHARE * linear_map.fan_in.sum()))


def _written_into_readers(
    network: Network, bounds: PreactivationBounds, staying: set[tuple[str, int]]
) -> set[tuple[str, int]]:
    """Return the 1x1 convolutions that vanish into convolutions that stay: as matrices they could not.

    Their ReLUs are active on at least as many whole channels as they read, so the readers store no more afterwards.
    """
    found: set[tuple[str, int]] = set()
    for relu in network.relus:
        readers = [(a.name, k) for a in network.affines for k, source in enumerate(a.inputs) if source == relu.name]
        node = network[relu.input]
        assert isinstance(node, Affine)
        mixing = [m for m in node.maps if isinstance(m, Convolution) and m.pointwise]
        if not readers or not staying.issuperset(readers) or len(mixing) < len(node.maps):
            continue
        active = bounds.lower[relu.name].reshape(mixing[0].out_shape[0], -1).min(axis=1) >= 0.0
        if np.count_nonzero(active) >= sum(m.in_shape[0] for m in mixing):
            found |= {(node.name, k) for k in range(len(node.maps))}
    return found


def _some_rows(linear_map: LinearMap, rows: IntArray) -> Sparse:
    """Return a map as a sparse matrix whose other rows are empty: nothing that is kept reads them."""
    matrix = linear_map.to_csr(rows)
    counts = np.zeros(linear_map.out_size, dtype=np.int64)
    counts[rows] = np.diff(matrix.indptr)
    pointer = np.concatenate([[0], np.cumsum(counts)])
    shape = (linear_map.out_size, linear_map.in_size)
    return Sparse(sparse.csr_array((matrix.data, matrix.indices, pointer), shape=shape))
