r"""Where the layers' rates begin: which share of its weights each keeps, all together a given share.

* uniform: the same in every layer.
* LAMP: what is left of each layer where the lowest layer-adaptive magnitudes go (`netopt.pruning.scores.lamp`).
* ERK: in proportion to the sum over the product of a weight array's sizes, :math:`(n_{in} + n_{out} + w + h) /
  (n_{in} n_{out} w h)` for a kernel, capped at 1 (Evci et al., *Rigging the lottery*, ICML 2020, section 3).

Rates are learned from there, so the share to begin with is ``max(0.1, keep)`` in HARP whatever is kept in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from netopt.arrays import FloatArray
from netopt.errors import InvalidOptionError
from netopt.network.network import Network
from netopt.network.sparse import Sparse
from netopt.pruning.request import Request
from netopt.pruning.scores import lamp
from netopt.pruning.select import keep_best
from netopt.pruning.weights import PrunableMap, prunable_maps

Start = Callable[[Network, tuple[PrunableMap, ...], float], FloatArray]


def start_rates(network: Network, keep: float, start: str = "uniform") -> dict[str, float]:
    """Return the share of its weights that each layer keeps, by the layer's key in masks, in topological order.

    Parameters
    ----------
    keep : the share kept of all prunable weights together, in (0, 1].
    start : one of `STARTS`.

    Raises
    ------
    InvalidOptionError
        There is no such start, or the share is not in (0, 1].

    Examples
    --------
    >>> from netopt.network.build import from_weights
    >>> from netopt.pruning.harp.starts import start_rates
    >>> network = from_weights([[[3.0, 1.0], [2.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> start_rates(network, 0.5, "lamp")
    {'layer1.affine': 0.25, 'output.affine': 1.0}
    """
    if start not in STARTS:
        raise InvalidOptionError(f"start {start!r} of the rates is unknown; choose one of {', '.join(STARTS)}")
    if not 0.0 < keep <= 1.0:
        raise InvalidOptionError(f"the share {keep:g} of weights to keep is not in (0, 1]; give e.g. 0.1")
    parts = prunable_maps(network)
    rates = STARTS[start](network, parts, keep) if parts else np.empty(0)
    return {part.key: float(rate) for part, rate in zip(parts, rates, strict=True)}


def _uniform(network: Network, parts: tuple[PrunableMap, ...], keep: float) -> FloatArray:
    return np.full(len(parts), keep)


def _lamp(network: Network, parts: tuple[PrunableMap, ...], keep: float) -> FloatArray:
    scores = list(lamp(Request(network, parts, 1.0 - keep, np.random.default_rng(0))).values())
    together = np.concatenate([score.ravel() for score in scores])
    count = max(1, round(keep * together.size))
    ends = np.cumsum([score.size for score in scores])[:-1]
    return np.array([part.mean() for part in np.split(keep_best(together, together.size - count), ends)])


def _erdos_renyi_kernel(network: Network, parts: tuple[PrunableMap, ...], keep: float) -> FloatArray:
    sizes = np.array([part.weights.size for part in parts], dtype=np.float64)
    density = np.array([_sum_of_sizes(part) for part in parts]) / sizes
    full = np.zeros(len(parts), dtype=bool)
    while True:  # at most once a layer: each round caps one more
        left = keep * sizes.sum() - sizes[full].sum()
        scale = left / (density * sizes)[~full].sum() if not full.all() else 0.0
        rates = np.where(full, 1.0, np.minimum(density * scale, 1.0))
        over = ~full & (density * scale > 1.0)
        if not over.any():
            return rates
        full |= over


def _sum_of_sizes(part: PrunableMap) -> float:
    if isinstance(part.linear_map, Sparse):
        return float(part.linear_map.in_size + part.linear_map.out_size)
    return float(sum(part.weights.shape))


#: Name -> the rates to begin with.
STARTS: Mapping[str, Start] = MappingProxyType({"uniform": _uniform, "lamp": _lamp, "erk": _erdos_renyi_kernel})
