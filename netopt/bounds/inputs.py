"""The inputs that bounds hold for, as a batch: one `Domain`, or many boxes at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.bounds.rounding import UNIT_ROUNDOFF, middle_and_radius
from netopt.errors import InputError
from netopt.network.linear_map import LinearMap
from netopt.network.network import Network
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.fit import check_fit

#: Bytes that one block of coefficient rows may take, temporaries included.
BLOCK_BYTES = 64 * 2**20
#: Arrays of a block's size that are alive at once in a backward pass.
_ARRAYS_ALIVE = 6


@dataclass(frozen=True, slots=True, eq=False)
class Inputs(ABC):
    """A batch of B input sets with their enclosing boxes ``lower``, ``upper``, (B, n) float64."""

    lower: FloatArray
    upper: FloatArray

    @property
    def count(self) -> int:
        """Number of members B."""
        return int(self.lower.shape[0])

    @abstractmethod
    def maximize(self, coefficients: FloatArray, owner: IntArray | None) -> FloatArray:
        """Return ``max c x`` for each row c: (p, n) -> (p,); row i is about member ``owner[i]`` (None: the only one).

        Each value errs by at most ``4 gamma(n + 8) |c| max |x|``.
        """

    def tighten_range(  # noqa: B027 - boxes have nothing to add
        self, linear_map: LinearMap, lower: FloatArray, upper: FloatArray
    ) -> None:
        """Tighten, in place, the range (B, k) of ``linear_map @ x`` beyond what the boxes say."""


@dataclass(frozen=True, slots=True, eq=False)
class BoxBatch(Inputs):
    """B boxes."""

    def maximize(self, coefficients: FloatArray, owner: IntArray | None) -> FloatArray:
        middle, radius = middle_and_radius(self.lower, self.upper)
        return weighted(coefficients, middle, owner) + weighted(np.abs(coefficients), radius, owner)


@dataclass(frozen=True, slots=True, eq=False)
class DomainInputs(Inputs):
    """A single domain of any kind: bounds are concretised over it exactly, not over its box."""

    domain: Domain

    def maximize(self, coefficients: FloatArray, owner: IntArray | None) -> FloatArray:
        # Membership is decided up to the rounding of a norm or a row, so members may lie that far outside.
        outside = 8.0 * UNIT_ROUNDOFF * float(np.maximum(np.abs(self.lower), np.abs(self.upper)).sum())
        largest: FloatArray = np.abs(coefficients).max(axis=1, initial=0.0)
        return self.domain.maximize_linear(coefficients) + outside * largest

    def tighten_range(self, linear_map: LinearMap, lower: FloatArray, upper: FloatArray) -> None:
        step = block_rows(max(linear_map.in_size, 1))
        for first in range(0, linear_map.out_size, step):
            block = slice(first, first + step)
            coefficients = linear_map.rows(np.arange(linear_map.out_size)[block])
            lower[0, block] = np.maximum(lower[0, block], -self.maximize(-coefficients, None))
            upper[0, block] = np.minimum(upper[0, block], self.maximize(coefficients, None))


def as_inputs(network: Network, domain: Domain) -> Inputs:
    """Return `domain` as a batch of one, checked against the network."""
    check_fit(network, domain)
    lower, upper = domain.lower[None], domain.upper[None]
    _check_ranges(lower, upper)
    return BoxBatch(lower, upper) if type(domain) is Box else DomainInputs(lower, upper, domain)


def _check_ranges(lower: FloatArray, upper: FloatArray) -> None:
    bad = np.argwhere(~(lower <= upper))
    if bad.size:
        box, k = bad[0]
        raise InputError(
            f"input {k} has the range [{lower[box, k]:g}, {upper[box, k]:g}];"
            " it is empty, so that nothing can be bounded: give a lower bound below the upper one"
        )


def block_rows(width: int) -> int:
    """Return how many coefficient rows of `width` entries make one block."""
    return max(1, BLOCK_BYTES // (8 * _ARRAYS_ALIVE * width))


def weighted(rows: FloatArray, vectors: FloatArray, owner: IntArray | None) -> FloatArray:
    """Return ``rows[i] . vectors[owner[i]]``: (p, k), (B, k) -> (p,); without owners all rows meet ``vectors[0]``."""
    if owner is None:
        owned: FloatArray = rows @ vectors[0]
        return owned
    product: FloatArray = np.einsum("pk,pk->p", rows, vectors[owner])
    return product
