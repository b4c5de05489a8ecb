"""Network + domain + bounds + formulation -> a mixed-integer linear model: every node is written once, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from scipy import sparse

from formulations.formulation import Formulation, ReluColumns, ReluLayer
from formulations.milp import VANISHED, MilpBuilder
from netopt.arrays import FloatArray, IntArray
from netopt.bounds.preactivation import PreactivationBounds
from netopt.checks import check_kind
from netopt.encoding.encoding import Encoding, LinearExpression
from netopt.errors import InputError
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Relu
from netopt.relaxation.remainder import Remainder
from netopt.specification.domain import Domain
from netopt.specification.fit import check_fit


def encode(
    network: Network,
    domain: Domain,
    bounds: PreactivationBounds,
    formulation: Formulation,
    *,
    remainders: Mapping[str, Remainder] = MappingProxyType({}),
) -> Encoding:
    """Write `network` over `domain` with `formulation`.

    An Affine that only ReLUs read is inlined into their rows; one that another Affine reads (a residual branch) gets
    columns of its own, so that nothing is multiplied out.

    Parameters
    ----------
    remainders : name of a Relu -> the part of its rows that becomes slack; the model is then a relaxation. The
        formulation sees a layer whose inputs are the ones that are kept and the slacks.

    Raises
    ------
    InputError
        The domain or the bounds do not fit the network, or a remainder belongs to an Affine with columns of its own.
    formulations.errors.FormulationError
        The formulation cannot write a layer, e.g. an infinite bound.
    """
    check_fit(network, domain)
    check_kind(bounds, PreactivationBounds, "bounds", "give what netopt.compute_bounds returned")
    check_kind(formulation, Formulation, "the formulation", "give one, such as netopt.BigM()")
    for relu in network.relus:  # bounds of a whole network do for a part of it, so digests may differ
        if any(getattr(side.get(relu.name), "shape", None) != (relu.size,) for side in (bounds.lower, bounds.upper)):
            raise InputError(f"the bounds lack {relu.name!r} or its {relu.size} neurons; compute them for this network")
    return _Encoder(network, domain, bounds, formulation, remainders).run()


def inlined(network: Network) -> list[Relu]:
    """Return the Relus whose Affine has no columns of its own, so that its rows can be relaxed."""
    read_by_affine = {source for node in network.affines for source in node.inputs}
    return [relu for relu in network.relus if relu.input not in read_by_affine]


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """The columns a node's value lives on: value k is column ``columns[k]``, or zero where that is `VANISHED`."""

    columns: IntArray
    lower: FloatArray
    upper: FloatArray


class _Encoder:
    """Walks the nodes once, in topological order."""

    def __init__(
        self,
        network: Network,
        domain: Domain,
        bounds: PreactivationBounds,
        formulation: Formulation,
        remainders: Mapping[str, Remainder],
    ) -> None:
        self.network, self.domain, self.bounds, self.formulation = network, domain, bounds, formulation
        self.remainders = remainders
        self.slacks: dict[str, IntArray] = {}
        self.builder = MilpBuilder()
        self.values: dict[str, _Columns] = {}
        self.layers: dict[str, ReluLayer] = {}
        self.relus: dict[str, ReluColumns] = {}
        self.layer_inputs: dict[str, IntArray] = {}
        self.affine_columns: dict[str, tuple[IntArray, LinearExpression]] = {}
        self.read_by_affine = {source for node in network.affines for source in node.inputs}

    def run(self) -> Encoding:
        inputs = self.domain.encode(self.builder)
        self.values[INPUT] = _Columns(inputs, self.domain.lower, self.domain.upper)
        for node in self.network.nodes:
            if isinstance(node, Relu):
                self._write_relu(node)
            elif node.name in self.read_by_affine:
                self._write_affine(node)
        return Encoding(
            builder=self.builder,
            network=self.network,
            domain=self.domain,
            formulation=self.formulation,
            inputs=inputs,
            layers=self.layers,
            relus=self.relus,
            output=self._output(),
            slacks=self.slacks,
            _layer_inputs=self.layer_inputs,
            _affine_columns=self.affine_columns,
        )

    def _expression(self, node: Affine, rows: IntArray | None = None) -> LinearExpression:
        """Return (some rows of) an Affine over the columns of the nodes it reads."""
        parts = [(self.values[source], m.to_csr(rows)) for source, m in zip(node.inputs, node.maps, strict=True)]
        if not parts:  # an Affine that reads nothing is its bias
            none, bias = np.empty(0), node.bias if rows is None else node.bias[rows]
            return LinearExpression(np.empty(0, np.int64), sparse.csr_array((bias.size, 0)), bias, none, none)
        columns = np.concatenate([value.columns for value, _ in parts])
        matrix = (
            parts[0][1] if len(parts) == 1 else sparse.csr_array(sparse.hstack([m for _, m in parts], format="csr"))
        )
        lower = np.concatenate([value.lower for value, _ in parts])
        upper = np.concatenate([value.upper for value, _ in parts])
        kept = columns != VANISHED
        if not kept.all():
            columns, lower, upper, matrix = columns[kept], lower[kept], upper[kept], matrix[:, np.flatnonzero(kept)]
        return LinearExpression(columns, matrix, node.bias if rows is None else node.bias[rows], lower, upper)

    def _column_expression(self, name: str, rows: IntArray | None = None) -> LinearExpression:
        """Return a node that has columns as an expression over them."""
        value = self.values[name]
        size = value.columns.size
        picked = np.arange(size) if rows is None else rows
        kept = np.flatnonzero(value.columns[picked] != VANISHED)
        matrix = sparse.csr_array((np.ones(kept.size), (kept, np.arange(kept.size))), shape=(picked.size, kept.size))
        chosen = picked[kept]
        return LinearExpression(
            value.columns[chosen], matrix, np.zeros(picked.size), value.lower[chosen], value.upper[chosen]
        )

    def _write_relu(self, node: Relu) -> None:
        lower, upper = self.bounds.lower[node.name], self.bounds.upper[node.name]
        kept = np.flatnonzero(~(upper <= 0.0))
        affine = self.network[node.input]
        assert isinstance(affine, Affine)
        written = affine.name in self.values
        expression = self._column_expression(affine.name, kept) if written else self._expression(affine, kept)
        if node.name in self.remainders:
            if written:
                raise InputError(f"{node.name} reads {affine.name}, which other nodes read too; it cannot be relaxed")
            expression = self._relax(node, kept, expression, self.remainders[node.name])
        layer = ReluLayer(
            name=node.name,
            weight=expression.matrix,
            bias=expression.constant,
            input_lower=expression.lower,
            input_upper=expression.upper,
            lower=lower[kept],
            upper=upper[kept],
            index=kept,
        )
        columns = self.formulation.encode(self.builder, layer, expression.columns)
        self.layers[node.name], self.relus[node.name] = layer, columns
        self.layer_inputs[node.name] = expression.columns
        output = np.full(node.size, VANISHED)
        output[kept] = columns.output
        self.values[node.name] = _Columns(output, np.maximum(lower, 0.0), np.maximum(upper, 0.0))

    def _relax(
        self, node: Relu, kept: IntArray, expression: LinearExpression, remainder: Remainder
    ) -> LinearExpression:
        """Return `expression`, the `kept` rows of what a Relu reads, with slack columns for the pruned part."""
        part = self._expression(remainder.part, kept)
        where = np.flatnonzero(np.diff(part.matrix.indptr))
        rows = kept[where]
        lower, upper = remainder.lower[rows], remainder.upper[rows]
        slack = self.builder.add_columns(rows.size, lower=lower, upper=upper, name=f"{node.name}.r", index=rows)
        directions = sparse.csr_array(remainder.directions[:, rows])
        self.builder.add_rows((slack, directions), upper=remainder.limits, name=f"{node.name}.tie")
        columns = self.slacks[node.name] = np.full(node.size, VANISHED)
        columns[rows] = slack
        pruned = replace(part, matrix=part.matrix[where], constant=np.zeros(rows.size))
        self.affine_columns[node.name] = (slack, pruned)
        selection = sparse.csr_array((np.ones(rows.size), (where, np.arange(rows.size))), shape=(kept.size, rows.size))
        # A weight is in one of the two parts, so that the difference is exact and zero where it is pruned.
        matrix = sparse.hstack([sparse.csr_array(expression.matrix - part.matrix), selection], format="csr")
        return LinearExpression(
            columns=np.concatenate([expression.columns, slack]),
            matrix=sparse.csr_array(matrix),
            constant=expression.constant,
            lower=np.concatenate([expression.lower, lower]),
            upper=np.concatenate([expression.upper, upper]),
        )

    def _write_affine(self, node: Affine) -> None:
        """Give an Affine columns of its own: ``v - W x = b``."""
        expression = self._expression(node)
        middle = (expression.lower + expression.upper) / 2.0
        radius = (expression.upper - expression.lower) / 2.0
        value = expression.matrix @ middle + expression.constant
        reach = abs(expression.matrix) @ radius
        slack = 1e-9 * (1.0 + np.abs(value) + reach)
        columns = self.builder.add_columns(node.size, lower=-np.inf, upper=np.inf, name=node.name)
        self.builder.add_rows(
            (columns, 1.0),
            (expression.columns, -expression.matrix),
            lower=expression.constant,
            upper=expression.constant,
            name=f"{node.name}.row",
        )
        self.values[node.name] = _Columns(columns, value - reach - slack, value + reach + slack)
        self.affine_columns[node.name] = (columns, expression)

    def _output(self) -> LinearExpression:
        name = self.network.output
        if name in self.values:
            return self._column_expression(name)
        node = self.network[name]
        assert isinstance(node, Affine)
        return self._expression(node)
