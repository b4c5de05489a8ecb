r"""Rows that are positive multiples of one another, found by sorting.

For two random positive vectors, ``q = (M r) / (|M| s)`` is the same for proportional rows and, with probability one,
for no others. Rows are sorted by q; neighbours that agree up to rounding are then compared entry by entry with the
largest row of their group.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from netopt.arrays import FloatArray, IntArray
from netopt.bounds.rounding import UNIT_ROUNDOFF, gamma
from netopt.network.linear_map import LinearMap

#: Entries may differ from the exact multiple by this share: a row scaled in float64 is off by a few roundings.
TOLERANCE = 8.0 * UNIT_ROUNDOFF
#: Rows with a largest entry outside are left alone: ratios of subnormal numbers are not exact, of huge ones overflow.
_SMALLEST, _LARGEST = 1e-290, 1e150


@dataclass(frozen=True, slots=True, eq=False)
class Proportional:
    """Row k is ``factor[k]`` times row ``representative[k]``, up to `TOLERANCE` of each entry; ``0 < factor <= 1``.

    Attributes
    ----------
    representative, factor : (rows,); a row alone is its own representative with factor 1.
    """

    representative: IntArray
    factor: FloatArray

    @property
    def found(self) -> bool:
        """Whether any two rows are proportional."""
        return bool((self.representative != np.arange(self.representative.size)).any())


def proportional_rows(maps: list[LinearMap], bias: FloatArray) -> Proportional:
    """Find the proportional rows of ``[maps[0] maps[1] ... bias]``."""
    alone = Proportional(np.arange(bias.size), np.ones(bias.size))
    group = _groups(maps, bias)
    rows = np.flatnonzero(np.bincount(group, minlength=1)[group] > 1)
    if not rows.size:
        return alone
    parts = [m.to_csr(rows) for m in maps] + [sparse.csr_array(bias[rows][:, None])]
    matrix = sparse.csr_array(sparse.hstack(parts, format="csr"))
    scale = np.asarray(abs(matrix).max(axis=1).toarray()).ravel()
    usable = (scale >= _SMALLEST) & (scale <= _LARGEST)
    order = np.lexsort((np.arange(rows.size), -scale, group[rows]))
    first = np.unique(group[rows][order], return_index=True, return_inverse=True)
    head = np.empty(rows.size, dtype=np.int64)
    head[order] = order[first[1]][first[2]]
    with np.errstate(all="ignore"):
        factor = scale / scale[head]
        off = abs(matrix - sparse.diags_array(factor) @ matrix[head]) - TOLERANCE * abs(matrix)
    worst = np.asarray(off.max(axis=1).toarray()).ravel()
    same = usable & usable[head] & (worst <= 0.0) & (head != np.arange(rows.size))
    alone.representative[rows[same]] = rows[head[same]]
    alone.factor[rows[same]] = factor[same]
    return alone


def _groups(maps: list[LinearMap], bias: FloatArray) -> IntArray:
    """Return a number for every row that proportional rows share; few others do."""
    generator = np.random.default_rng(0)
    total, size = np.zeros(bias.size), np.zeros(bias.size)
    with np.errstate(all="ignore"):
        for linear_map in maps:
            probes = generator.uniform(0.5, 1.5, size=(2, 1, linear_map.in_size))
            total += linear_map.apply(probes[0])[0]
            size += linear_map.apply_abs(probes[1])[0]
        key = (total + bias) / (size + np.abs(bias))
    # Undefined keys (empty rows, overflow) get a group each.
    order = np.argsort(key)
    terms = sum(m.in_size for m in maps) + 8
    apart = ~(np.diff(key[order]) <= 8.0 * gamma(terms) + 2.0 * TOLERANCE)
    group = np.empty(bias.size, dtype=np.int64)
    group[order] = np.cumsum(np.concatenate([[False], apart]))[: bias.size]
    return group
