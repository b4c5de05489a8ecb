r"""Maxima rewritten exactly: :math:`\max(a, b) = b + \mathrm{relu}(a - b)`, and trees of these for windows."""

from __future__ import annotations

import numpy as np

from netopt.arrays import IntArray
from netopt.network.composition import weighted_sums
from netopt.network.lowering import Expression, Lowering


def maximum_of_two(lowering: Lowering, first: Expression, second: Expression) -> Expression:
    """Return the elementwise maximum of two expressions of one size."""
    base, other = sorted((first, second), key=lambda x: (x.node is None, x.parameters))
    excess = lowering.relu(lowering.add(other, lowering.scale(base, -1.0)))
    return lowering.add(lowering.settle(base), excess)


def maximum_of(lowering: Lowering, x: Expression, groups: IntArray) -> Expression:
    """Return the maximum over each group of entries of `x`, by a tree as deep as the logarithm of the group's size.

    Parameters
    ----------
    groups : (out, group) positions in `x`; negative ones are not there. Each row has at least one that is.
    """
    table = np.where(groups >= 0, groups, groups.max(axis=1, keepdims=True))
    while table.shape[1] > 1:
        x, table = _halve(lowering, x, table)
    return lowering.take(x, table[:, 0])


def _halve(lowering: Lowering, x: Expression, table: IntArray) -> tuple[Expression, IntArray]:
    """Return the maxima of neighbouring pairs, each pair once, and the table of them."""
    if table.shape[1] % 2:
        table = np.concatenate([table, table[:, -1:]], axis=1)
    low = np.minimum(table[:, ::2], table[:, 1::2]).ravel()
    high = np.maximum(table[:, ::2], table[:, 1::2]).ravel()
    keys, place = np.unique(low * x.size + high, return_inverse=True)
    low, high = keys // x.size, keys % x.size
    apart = np.flatnonzero(low != high)
    if not apart.size:
        return lowering.take(x, low), place.reshape(table.shape[0], -1)
    columns = np.stack([high[apart], low[apart]], axis=1)
    difference = weighted_sums(columns, np.broadcast_to([1.0, -1.0], columns.shape), x.size)
    excess = lowering.relu(lowering.apply(difference, x))
    spread = np.full(low.size, -1)
    spread[apart] = np.arange(apart.size)
    maxima = lowering.add(lowering.take(lowering.settle(x), low), lowering.take(excess, spread))
    return maxima, place.reshape(table.shape[0], -1)
