"""The part of a network before one layer, written as rows: what bounds of that layer's neurons are computed over."""

from __future__ import annotations

from dataclasses import dataclass

from formulations.formulation import Formulation
from formulations.milp import MilpModel
from netopt.arrays import FloatArray, IntArray
from netopt.bounds.preactivation import PreactivationBounds
from netopt.encoding.encode import encode
from netopt.encoding.encoding import LinearExpression
from netopt.network.network import Network
from netopt.specification.domain import Domain


@dataclass(frozen=True, slots=True, eq=False)
class Subproblem:
    """A model of everything before an Affine, and the Affine's values as linear expressions over its columns.

    Attributes
    ----------
    model : no objective.
    values : (size,) expressions.
    error : (size,) how far the float64 forward pass may be from exact arithmetic.
    magnitude : (size,) ``|b| + sum |W| max |x|``, the scale of each value.
    """

    model: MilpModel
    values: LinearExpression
    error: FloatArray
    magnitude: FloatArray

    def objective(self, neuron: int) -> tuple[IntArray, FloatArray, float]:
        """Return (columns, coefficients, constant) of one value."""
        matrix = self.values.matrix
        entries = slice(matrix.indptr[neuron], matrix.indptr[neuron + 1])
        columns = self.values.columns[matrix.indices[entries]]
        return columns, matrix.data[entries], float(self.values.constant[neuron])


def write_subproblem(
    part: Network,
    domain: Domain,
    bounds: PreactivationBounds,
    formulation: Formulation,
    error: FloatArray,
    magnitude: FloatArray,
) -> Subproblem:
    """Return the subproblem of the output of `part`."""
    encoding = encode(part, domain, bounds, formulation)
    return Subproblem(encoding.builder.build(), encoding.output, error, magnitude)
