"""One sweep that builds the smaller network from a plan."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.bounds.preactivation import PreactivationBounds
from netopt.network.composition import compose, selection
from netopt.network.identity import Identity
from netopt.network.linear_map import LinearMap
from netopt.network.network import INPUT
from netopt.network.nodes import Affine, Node, Relu
from netopt.network.sparse import Sparse
from netopt.reduction.maps import join_terms, settled, take
from netopt.reduction.merging import Readers, choose_merged, choose_merged_channels, inlining_pays
from netopt.reduction.plan import Plan
from netopt.reduction.prepare import unused_name
from netopt.reduction.proportional import proportional_rows


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some of a node's values over one node of the smaller network: ``value[columns] = map @ source + bias``.

    Attributes
    ----------
    map : None for the source's values themselves.
    bias : None for zeros.
    """

    columns: IntArray
    source: str
    map: LinearMap | None = None
    bias: FloatArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """Rows of an Affine over nodes of the smaller network: ``value[rows] = sum of terms + bias``."""

    rows: IntArray
    terms: list[tuple[str, LinearMap]]
    bias: FloatArray

    def take(self, rows: IntArray) -> Expression:
        """Return some of the rows (ascending, all present)."""
        place = np.searchsorted(self.rows, rows)
        terms = [(source, take(m, place, None)) for source, m in self.terms]
        return Expression(rows, join_terms(terms), self.bias[place])

    @property
    def constant(self) -> BoolArray:
        """Which rows read nothing."""
        if any(not isinstance(m, Sparse) for _, m in self.terms):
            return np.zeros(self.rows.size, dtype=bool)
        counts = sum((np.diff(m.weight.indptr) for _, m in self.terms if isinstance(m, Sparse)), np.zeros(1))
        return np.broadcast_to(counts == 0, self.rows.shape)


@dataclass(slots=True, eq=False)
class Built:
    """A smaller network and how it hangs together with the given one.

    Attributes
    ----------
    kept : name of a Relu -> its neurons that are left, numbers in the given network.
    written_out : name of a Relu -> which of its neurons are none any more: folded or written into their readers.
    merged : whether values were merged, so that another sweep may find more.
    """

    nodes: list[Node] = field(default_factory=list)
    output: str = ""
    kept: dict[str, IntArray] = field(default_factory=dict)
    written_out: dict[str, BoolArray] = field(default_factory=dict)
    merged: bool = False


def build(plan: Plan, bounds: PreactivationBounds) -> Built:
    """Return the smaller network a plan allows."""
    return _Builder(plan, bounds).run()


class _Builder:
    def __init__(self, plan: Plan, bounds: PreactivationBounds) -> None:
        self.plan, self.bounds = plan, bounds
        self.built = Built()
        self.names = {INPUT} | {node.name for node in plan.network.nodes}
        self.taken: set[str] = set()
        self.parts: dict[str, list[Part]] = {INPUT: self._inputs()}
        self.expressions: dict[str, Expression] = {}

    def run(self) -> Built:
        for node in self.plan.network.nodes:
            if not self.plan.keep[node.name].any():
                self.parts[node.name] = []
                if isinstance(node, Relu):
                    self.built.written_out[node.name] = np.ones(node.size, dtype=bool)
            elif isinstance(node, Relu):
                self._relu(node)
            else:
                self._affine(node)
        return self.built

    def _inputs(self) -> list[Part]:
        size = self.plan.network.input_size
        varying = np.flatnonzero(~self.plan.constant[INPUT])
        if varying.size == size:
            return [Part(varying, INPUT)]
        return [Part(varying, INPUT, selection(varying, size))] if varying.size else []

    def _expression(self, node: Affine) -> Expression:
        rows = np.flatnonzero(self.plan.keep[node.name])
        bias = self.plan.base[node.name][rows].copy()
        terms: list[tuple[str, LinearMap]] = []
        for source, linear_map in zip(node.inputs, self.plan.maps[node.name], strict=True):
            of_rows = take(linear_map, rows, None)
            for part in self.parts[source]:
                of_part = take(of_rows, None, part.columns)
                if part.bias is not None:
                    bias += of_part.apply(part.bias[None])[0]
                terms.append((part.source, of_part if part.map is None else compose(of_part, part.map)))
        return Expression(rows, join_terms(terms), bias)

    def _affine(self, node: Affine) -> None:
        expression = self._expression(node)
        self.expressions[node.name] = expression
        self.parts[node.name] = []
        if node.name not in self.plan.column:
            return
        output = node.name == self.plan.network.output
        rows = expression.rows
        varying = np.flatnonzero(~self.plan.constant[node.name][rows])  # what is constant is folded into the readers
        if not output and self._inlines(node, expression):
            taken = expression.take(rows[varying])
            self.parts[node.name] = [
                Part(taken.rows, source, m, taken.bias if k == 0 else None) for k, (source, m) in enumerate(taken.terms)
            ]
            self.built.merged = True
            return
        name = self._add_affine(node.name, expression)
        if output:
            self.built.output = name
        if varying.size:
            link = None if varying.size == rows.size else selection(varying, rows.size)
            self.parts[node.name] = [Part(rows[varying], name, link)]
        self.expressions[node.name] = Expression(rows, [(name, Identity(rows.size))], np.zeros(rows.size))

    def _inlines(self, node: Affine, expression: Expression) -> bool:
        if self.plan.grain[node.name] > 1 or not expression.terms:
            return False
        relu_rows = sum(int(self.plan.keep[r.name].sum()) for r in self.plan.network.relus if r.input == node.name)
        readers = Readers.of(self.plan, node.name)
        return inlining_pays([m for _, m in expression.terms], self.plan.keep[node.name], readers, relu_rows)

    def _relu(self, node: Relu) -> None:
        keep = self.plan.keep[node.name]
        expression = self.expressions[node.input].take(np.flatnonzero(keep))
        merged = self._merged(node, expression)
        parts = []
        if merged.any():
            parts += self._written_out(expression, merged[expression.rows])
        left = np.flatnonzero(keep & ~merged)
        if left.size:
            parts.append(self._add_relu(node, expression, left))
        self.parts[node.name] = parts
        self.built.written_out[node.name] = ~keep | merged
        self.built.merged |= bool(merged.any())

    def _merged(self, node: Relu, expression: Expression) -> BoolArray:
        """Return the neurons written into their readers: active ones where that pays, and what became constant."""
        keep, grain = self.plan.keep[node.name], self.plan.grain[node.name]
        active = keep & (self.bounds.lower[node.name] >= 0.0)
        maps, readers = [m for _, m in expression.terms], Readers.of(self.plan, node.name)
        if grain > 1:
            return choose_merged_channels(maps, keep, readers, active, grain)
        merged = choose_merged(maps, keep, readers, active)
        merged[expression.rows[expression.constant]] = True
        return merged

    def _written_out(self, expression: Expression, where: BoolArray) -> list[Part]:
        rows = np.flatnonzero(where)
        # Rows that read nothing may be negative; the others are active.
        constant = expression.constant[rows]
        bias = np.where(constant, np.maximum(expression.bias[rows], 0.0), expression.bias[rows])
        columns = expression.rows[rows]
        taken = join_terms([(source, take(m, rows, None)) for source, m in expression.terms])
        if not taken:
            empty = Sparse(sparse.csr_array((rows.size, self.plan.network.input_size)))
            return [Part(columns, INPUT, empty, bias)]
        return [Part(columns, source, m, bias if k == 0 else None) for k, (source, m) in enumerate(taken)]

    def _add_relu(self, node: Relu, expression: Expression, left: IntArray) -> Part:
        own = expression if left.size == expression.rows.size else expression.take(left)
        link: LinearMap | None = None
        kept = left
        if self.plan.grain[node.name] == 1 and left.size > 1:
            found = proportional_rows([m for _, m in own.terms], own.bias)
            if found.found:
                heads = np.flatnonzero(found.representative == np.arange(left.size))
                place = np.searchsorted(heads, found.representative)
                matrix = sparse.csr_array(
                    (found.factor, place, np.arange(left.size + 1)), shape=(left.size, heads.size)
                )
                link, kept, own = Sparse(matrix), left[heads], own.take(left[heads])
                self.built.merged = True
        name = self._relu_input(node, own)
        self.built.nodes.append(Relu(node.name, name, kept.size))
        self.built.kept[node.name] = kept
        return Part(left, node.name, link)

    def _relu_input(self, node: Relu, own: Expression) -> str:
        """Return the Affine that holds the pre-activations, made unless an Affine is just that."""
        if [source for source, _ in own.terms] == [node.input] and own.terms[0][1].in_size == own.rows.size:
            return node.input
        wanted = node.input if node.input not in self.taken else f"{node.name}.input"
        return self._add_affine(wanted, own)

    def _add_affine(self, wanted: str, expression: Expression) -> str:
        name = wanted if wanted not in self.taken else unused_name(wanted, self.taken | self.names)
        self.taken.add(name)
        terms = expression.terms
        if not terms:
            empty = sparse.csr_array((expression.rows.size, self.plan.network.input_size))
            terms = [(INPUT, Sparse(empty))]
        sources, maps = zip(*terms, strict=True)
        self.built.nodes.append(Affine(name, sources, tuple(settled(m) for m in maps), expression.bias))
        return name
