"""How the time for CROWN bounds is dealt to the layers.

A layer may take a part in proportion to the products that its rows take, and half of what is left in any case: bounds
of early layers are cheap, and where they are loose, those of later layers are worth nothing.
"""

from __future__ import annotations

import time
from collections import deque

from netopt.bounds.products import Products
from netopt.network.network import Network
from netopt.network.nodes import Affine, Relu

#: Part of the time left that any layer may take.
_AT_LEAST = 0.5


class LayerShares:
    """Shares of the time until a value of `time.monotonic`; what a layer leaves over is for the later ones."""

    def __init__(self, network: Network, deadline: float, products: Products) -> None:
        self._deadline = deadline
        read = {node.input for node in network.nodes if isinstance(node, Relu)} | {network.output}
        self._waiting = deque((n.name, n.size, products.row(n)) for n in network.affines if n.name in read)

    def end(self, node: Affine, wanted: float) -> float:
        """Return when an Affine should be ready of which so many neurons are to be bounded.

        Asked in the order of the Affines, of one as often as need be. Later layers are taken to have as large a share
        of such neurons.
        """
        now = time.monotonic()
        while self._waiting[0][0] != node.name:
            self._waiting.popleft()
        (_, size, row), *rest = self._waiting
        later = sum(count * cost for _, count, cost in rest) * wanted / max(size, 1)
        mine = wanted * row
        part = max(_AT_LEAST, mine / (mine + later)) if later > 0.0 else 1.0
        return now + part * (self._deadline - now)
