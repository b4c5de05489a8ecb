"""Affine expressions over a growing network, and the exact rewriting of piecewise-linear functions as Affine + ReLU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netopt.arrays import FloatArray, IntArray, sparse
from netopt.network.composition import (
    add_maps,
    compose,
    composed_parameters,
    diagonal,
    selection,
)
from netopt.network.identity import Identity
from netopt.network.linear_map import LinearMap
from netopt.network.naming import finish_nodes
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine, Node, Relu
from netopt.network.sparse import Sparse

#: Products up to this size may store `_GENEROUS` times what their factors do: bounds are tighter over one Affine.
_SMALL = 250_000
_GENEROUS = 4

Terms = tuple[tuple[str, LinearMap], ...]


@dataclass(eq=False, slots=True)
class Expression:
    """``bias + sum_k maps[k] @ sources[k]``, each source once; `node` is set once a node of the network holds it."""

    terms: Terms
    bias: FloatArray
    node: str | None = None

    @property
    def size(self) -> int:
        """Length of the value."""
        return self.bias.size

    @property
    def parameters(self) -> int:
        """Weights stored in the maps."""
        return sum(linear_map.parameters for _, linear_map in self.terms)


class Lowering:
    """A network under construction.

    Maps are multiplied together as long as the product stores no (small ones: not much) more weights than its factors
    do; else the inner expression becomes an Affine node of its own.
    """

    def __init__(self, input_size: int) -> None:
        self.nodes: list[Node] = []
        self.input = Expression(((INPUT, Identity(input_size)),), np.zeros(input_size), INPUT)
        self._relus: dict[str, Expression] = {}
        self._input_affine: str | None = None

    def constant(self, value: FloatArray) -> Expression:
        """Return an expression that reads nothing."""
        return Expression((), np.asarray(value, dtype=np.float64).ravel())

    def apply(self, linear_map: LinearMap, x: Expression) -> Expression:
        """Return ``linear_map @ x``."""
        terms, bias = self._open(x)
        sizes = [composed_parameters(linear_map, inner) for _, inner in terms]
        budget = linear_map.parameters + sum(inner.parameters for _, inner in terms)
        product = sum(size or 0 for size in sizes)
        if any(size is None for size in sizes) or product > (budget if product > _SMALL else _GENEROUS * budget):
            return Expression(((self.node(x), linear_map),), np.zeros(linear_map.out_size))
        products = tuple((source, compose(linear_map, inner)) for source, inner in terms)
        return Expression(_without_zeros(products), linear_map.apply(bias[None])[0])

    def add(self, *values: Expression) -> Expression:
        """Return the sum of expressions of one size."""
        total = values[0]
        for value in values[1:]:
            total = self._add_two(total, value)
        return total

    def shift(self, x: Expression, constant: FloatArray | float) -> Expression:
        """Return ``x + constant``."""
        terms, bias = self._open(x)
        return Expression(terms, bias + constant)

    def scale(self, x: Expression, factor: FloatArray | float) -> Expression:
        """Return ``factor * x``, elementwise."""
        if np.ndim(factor) == 0 and factor == 1.0:
            return x
        if not x.terms:
            return self.constant(factor * x.bias)
        return self.apply(diagonal(np.broadcast_to(np.asarray(factor, dtype=np.float64), (x.size,))), x)

    def take(self, x: Expression, index: IntArray) -> Expression:
        """Return the vector whose k-th entry is ``x[index[k]]``, or zero where that is negative."""
        if index.size == x.size and (index == np.arange(x.size)).all():
            return x
        return self.apply(selection(index, x.size), x)

    def relu(self, x: Expression) -> Expression:
        """Return ``max(0, x)``."""
        if not x.terms:
            return self.constant(np.maximum(x.bias, 0.0))
        if self._is_nonnegative(x):
            return x
        affine = self._affine(x)
        if affine not in self._relus:
            name = f"relu:{len(self.nodes)}"
            self.nodes.append(Relu(name, affine, x.size))
            self._relus[affine] = Expression(((name, Identity(x.size)),), np.zeros(x.size), name)
        return self._relus[affine]

    def leaky_relu(self, x: Expression, slope: FloatArray | float) -> Expression:
        """Return ``slope x + (1 - slope) relu(x)``: x above zero, slope times x below."""
        positive = self.relu(x)
        return self.add(self.scale(x, slope), self.scale(positive, 1.0 - np.asarray(slope)))

    def clip(self, x: Expression, low: float, high: float) -> Expression:
        """Return ``min(max(x, low), high)`` as nested ReLUs: interval bounds of a difference of two would be looser."""
        if high == np.inf:
            return x if low == -np.inf else self.shift(self.relu(self.shift(x, -low)), low)
        if low == -np.inf:
            room = self.shift(self.scale(x, -1.0), high)
        else:
            room = self.shift(self.scale(self.relu(self.shift(x, -low)), -1.0), high - low)
        return self.shift(self.scale(self.relu(room), -1.0), high)

    def settle(self, x: Expression) -> Expression:
        """Return `x` with a node of its own unless it is made of Sparse maps: what is read often is computed once."""
        if not all(isinstance(linear_map, Sparse) for _, linear_map in x.terms):
            self.node(x)
        return x

    def node(self, x: Expression) -> str:
        """Return the node that holds `x`, made where there is none yet."""
        if x.node is None:
            x.node = self._append_affine(x)
        return x.node

    def _affine(self, x: Expression) -> str:
        """Return an Affine that holds `x`, for a Relu or the output to read; the bare input gets a copy, once."""
        if x.node != INPUT:
            return self.node(x)
        if self._input_affine is None:
            self._input_affine = self._append_affine(x)
        return self._input_affine

    def _append_affine(self, x: Expression) -> str:
        terms = x.terms or ((INPUT, Sparse(sparse.csr_array((x.size, self.input.size)))),)
        name = f"affine:{len(self.nodes)}"
        sources, maps = zip(*terms, strict=True)
        self.nodes.append(Affine(name, sources, maps, x.bias))
        return name

    def finish(
        self,
        output: Expression,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        *,
        source: Path | None = None,
        source_sha256: str | None = None,
        dropped_output: str | None = None,
    ) -> Network:
        """Return the network whose output is `output`; nodes that do not lead to it are left out."""
        nodes, name = finish_nodes(self.nodes, self._affine(output))
        return Network(nodes, name, inputs, outputs, source, source_sha256, dropped_output)

    def _open(self, x: Expression) -> tuple[Terms, FloatArray]:
        """Return the terms to build on: the node that holds `x` where there is one, else what `x` is made of."""
        if x.node is None:
            return x.terms, x.bias
        return ((x.node, Identity(x.size)),), np.zeros(x.size)

    def _add_two(self, first: Expression, second: Expression) -> Expression:
        left, left_bias = self._open(first)
        right, right_bias = self._open(second)
        merged: dict[str, LinearMap] = dict(left)
        for source, linear_map in right:
            total = add_maps(merged[source], linear_map) if source in merged else linear_map
            if total is None:
                loose = [x for x in (first, second) if x.node is None]
                self.node(max(loose, key=lambda x: x.parameters))
                return self._add_two(first, second)
            merged[source] = total
        return Expression(_without_zeros(tuple(merged.items())), left_bias + right_bias)

    @staticmethod
    def _is_nonnegative(x: Expression) -> bool:
        """Return whether `x` is a sum of ReLUs with nonnegative factors."""
        return bool((x.bias >= 0.0).all()) and all(
            source.startswith("relu:")
            and isinstance(linear_map, Sparse)
            and bool((linear_map.weight.data >= 0.0).all())
            for source, linear_map in x.terms
        )


def _without_zeros(terms: Terms) -> Terms:
    return tuple((source, m) for source, m in terms if not (isinstance(m, Sparse) and m.parameters == 0))
