"""How many products it takes to carry vectors through a network: what ways to bound a layer are chosen by."""

from __future__ import annotations

from functools import cached_property
from itertools import accumulate

from netopt.bounds.window_plan import WindowPlan
from netopt.network.convolution import Convolution
from netopt.network.linear_map import LinearMap
from netopt.network.network import Network
from netopt.network.nodes import Affine


class Products:
    """Products that the nodes of one network take, each with one vector."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._rows: dict[str, int] = {}

    @cached_property
    def own(self) -> dict[str, int]:
        """Name of a node -> products of applying it."""
        nodes = self._network.nodes
        return {node.name: sum(map(_products, node.maps)) if isinstance(node, Affine) else 0 for node in nodes}

    @cached_property
    def _so_far(self) -> dict[str, int]:
        return dict(zip(self.own, accumulate(self.own.values()), strict=True))

    def row(self, node: Affine) -> int:
        """Return about how many products carrying one row of an Affine to the inputs takes."""
        if node.name not in self._rows:
            plan = WindowPlan.of(self._network, node)
            last = node if plan is None else plan.last
            windows = 0 if plan is None else plan.products - self.own[last.name]
            self._rows[node.name] = windows + self._so_far[last.name]
        return self._rows[node.name]


def _products(linear_map: LinearMap) -> int:
    """Return how many products applying a map to a vector takes."""
    if isinstance(linear_map, Convolution):
        return linear_map.parameters * linear_map.out_shape[1] * linear_map.out_shape[2]
    return linear_map.parameters
