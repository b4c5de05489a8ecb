"""How the time for CROWN bounds is dealt to the layers.

A layer may take a part in proportion to the products that its rows take, and half of what is left in any case: bounds
of early layers are cheap, and where they are loose, those of later layers are worth nothing.
"""

from __future__ import annotations

import time
from collections import deque
from itertools import accumulate

from netopt.bounds.window_plan import WindowPlan
from netopt.network.convolution import Convolution
from netopt.network.linear_map import LinearMap
from netopt.network.network import Network
from netopt.network.nodes import Affine, Relu

#: Part of the time left that any layer may take.
_AT_LEAST = 0.5


class LayerShares:
    """Shares of the time until a value of `time.monotonic`; what a layer leaves over is for the later ones."""

    def __init__(self, network: Network, deadline: float) -> None:
        self._deadline = deadline
        read = {node.input for node in network.nodes if isinstance(node, Relu)} | {network.output}
        own = [sum(map(_products, node.maps)) if isinstance(node, Affine) else 0 for node in network.nodes]
        so_far = dict(zip((node.name for node in network.nodes), accumulate(own), strict=True))
        self._waiting = deque(
            (node.name, node.size, _row(network, node, so_far)) for node in network.affines if node.name in read
        )

    def end(self, node: Affine, wanted: float) -> float:
        """Return when an Affine should be ready of which so many neurons are to be bounded; asked in their order.

        Later layers are taken to have as large a share of such neurons.
        """
        now = time.monotonic()
        name, size, row = self._waiting.popleft()
        while name != node.name:
            name, size, row = self._waiting.popleft()
        later = sum(count * cost for _, count, cost in self._waiting) * wanted / max(size, 1)
        mine = wanted * row
        part = max(_AT_LEAST, mine / (mine + later)) if later > 0.0 else 1.0
        return now + part * (self._deadline - now)


def _row(network: Network, node: Affine, so_far: dict[str, int]) -> int:
    """Return about how many products carrying one row of an Affine to the inputs takes."""
    plan = WindowPlan.of(network, node)
    if plan is None:
        return so_far[node.name]
    last = plan.last
    return plan.products + so_far[last.name] - sum(map(_products, last.maps if isinstance(last, Affine) else ()))


def _products(linear_map: LinearMap) -> int:
    """Return how many products applying a map to a vector takes."""
    if isinstance(linear_map, Convolution):
        return linear_map.parameters * linear_map.out_shape[1] * linear_map.out_shape[2]
    return linear_map.parameters
