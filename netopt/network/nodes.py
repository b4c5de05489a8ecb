"""The two kinds of node a network has after reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray
from netopt.network.linear_map import LinearMap


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """``bias + sum_k maps[k] @ inputs[k]``: several inputs make residual additions and concatenations.

    Attributes
    ----------
    name : unique in the network, e.g. ``"layer3.affine"``.
    inputs : names of the nodes read (or `INPUT`).
    maps : one linear map an input, all with the same out_size.
    bias : (out_size,) float64.
    """

    name: str
    inputs: tuple[str, ...]
    maps: tuple[LinearMap, ...]
    bias: FloatArray

    @property
    def size(self) -> int:
        """Length of the node's value."""
        return self.bias.size

    def value(self, values: Mapping[str, FloatArray], batch: int) -> FloatArray:
        """Return the node's value, (batch, size), given those of the nodes it reads, each (batch, its size)."""
        value: FloatArray = np.broadcast_to(self.bias, (batch, self.size))
        for source, linear_map in zip(self.inputs, self.maps, strict=True):
            value = value + linear_map.apply(values[source])
        return value


@dataclass(frozen=True, slots=True, eq=False)
class Relu:
    """``max(0, x)`` of one Affine node, e.g. ``"layer3.relu"``."""

    name: str
    input: str
    size: int

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the nodes read."""
        return (self.input,)

    def value(self, values: Mapping[str, FloatArray], batch: int) -> FloatArray:
        """Return the node's value, (batch, size), given that of the node it reads, (batch, size)."""
        value: FloatArray = np.maximum(values[self.input], 0.0)
        return value


Node = Affine | Relu
