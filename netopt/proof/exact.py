"""The last word on a row: carried to the inputs in exact arithmetic, where rounding outward leaves open what it says.

Every float64 is an integer times a power of two, so sums and products of arrays of them are integers of Python with one
exponent an array. Slopes and intercepts of the lines are float64 too, and right as the numbers that they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from netopt.arrays import FloatArray
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Relu
from netopt.proof.lines import Lines

#: Bits of a float64's significand.
_BITS = 53


@dataclass(frozen=True, slots=True, eq=False)
class Dyadic:
    """The vector ``integers * 2^exponent``; `integers` is an array of Python's."""

    integers: NDArray[Any]
    exponent: int

    @classmethod
    def of(cls, values: FloatArray) -> Dyadic:
        """Return float64 numbers, which have to be finite."""
        fraction, exponent = np.frexp(values)
        whole = np.ldexp(fraction, _BITS).astype(np.int64).astype(object)
        used = values != 0.0
        least = int(exponent[used].min()) if used.any() else 0
        shift = np.where(used, exponent - least, 0).astype(object)
        return cls(whole * 2**shift, least - _BITS)

    def plus(self, other: Dyadic) -> Dyadic:
        """Return the sum."""
        least = min(self.exponent, other.exponent)
        parts = [each.integers * 2 ** (each.exponent - least) for each in (self, other)]
        return Dyadic(parts[0] + parts[1], least)

    def times(self, other: Dyadic) -> Dyadic:
        """Return the products, entry by entry."""
        return Dyadic(self.integers * other.integers, self.exponent + other.exponent)

    def through(self, matrix: sparse.csr_array) -> Dyadic:
        """Return ``self @ matrix``."""
        weights = Dyadic.of(matrix.data)
        total = np.zeros(matrix.shape[1], dtype=object)
        np.add.at(total, matrix.indices, np.repeat(self.integers, np.diff(matrix.indptr)) * weights.integers)
        return Dyadic(total, self.exponent + weights.exponent)

    def sum(self) -> Fraction:
        """Return the sum of the entries."""
        return Fraction(int(self.integers.sum())) * Fraction(2) ** self.exponent


def exact_upper(
    network: Network,
    start: dict[str, Dyadic],
    constant: Fraction,
    lines: Callable[[Relu], Lines],
    lower: FloatArray,
    upper: FloatArray,
) -> Fraction:
    """Return an upper bound of one row over a box, without any rounding.

    Parameters
    ----------
    start : coefficients of nodes, which are consumed.
    lines : returns the lines of a Relu, (1, size); finite.
    lower, upper : (n,) the box.
    """
    for node in reversed(network.nodes):
        coefficient = start.pop(node.name, None)
        if coefficient is None:
            continue
        if isinstance(node, Affine):
            constant += coefficient.times(Dyadic.of(node.bias)).sum()
            for source, linear_map in zip(node.inputs, node.maps, strict=True):
                add(start, source, coefficient.through(linear_map.to_csr()))
            continue
        used, positive = lines(node), coefficient.integers > 0
        slope = Dyadic.of(np.where(positive, used.above[0], used.below[0]))
        constant += coefficient.times(Dyadic.of(np.where(positive, used.intercept[0], 0.0))).sum()
        add(start, node.input, coefficient.times(slope))
    slope = start.get(INPUT, Dyadic.of(np.zeros(lower.size)))
    corner = np.where(slope.integers > 0, upper, lower)
    return constant + slope.times(Dyadic.of(corner)).sum()


def add(start: dict[str, Dyadic], name: str, value: Dyadic) -> None:
    """Add coefficients of a node to those it has."""
    start[name] = start[name].plus(value) if name in start else value
