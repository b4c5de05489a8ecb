"""Models of gurobipy: written through its matrix interface."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import gurobipy
import numpy as np
from gurobipy import GRB
from scipy import sparse

from formulations.milp import IndicatorRows, MilpModel, Sos1Sets
from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.embedding.adapter import Inserted, Insertion, ModelAdapter, VariableBounds, number_terms
from netopt.embedding.extraction import Extraction
from netopt.embedding.forms import Terms
from netopt.embedding.names import release_name, reserve_name
from netopt.errors import InputError


class GurobipyModel(ModelAdapter):
    """Adapter of a ``gurobipy.Model``."""

    library: ClassVar[str] = "gurobipy"
    row_kinds: ClassVar[frozenset[str]] = frozenset({"sos1", "indicator"})

    def __init__(self, model: Any) -> None:
        self.model = model
        self._variables: list[Any] = []

    def prepare(self) -> None:
        """Write pending changes, so that bounds and indices of variables can be read."""
        self.model.update()
        self._variables = self.model.getVars()

    def unpack(self, values: Any) -> Any:
        if isinstance(values, gurobipy.MVar):
            return values.tolist()
        if isinstance(values, gurobipy.MLinExpr):
            array = np.empty(values.shape, dtype=object)
            for index in np.ndindex(values.shape):
                array[index] = values[index].item()
            return array
        return values

    def package(self, variables: np.ndarray) -> Any:
        return gurobipy.MVar.fromlist(variables.tolist())

    def split(self, entry: Any) -> Terms:
        if isinstance(entry, gurobipy.Var):
            return Terms((self._own(entry),), (1.0,), 0.0)
        if isinstance(entry, gurobipy.QuadExpr):
            if entry.size():
                raise InputError(f"the entry {entry} of x or y is quadratic; tie a variable to it and pass that")
            entry = entry.getLinExpr()
        if isinstance(entry, gurobipy.LinExpr):
            terms = range(entry.size())
            variables = [self._own(entry.getVar(k)) for k in terms]
            return Terms(variables, [entry.getCoeff(k) for k in terms], entry.getConstant())
        return number_terms(entry, self.library)

    def _own(self, variable: Any) -> Any:
        position = variable.index
        if not 0 <= position < len(self._variables) or not variable.sameAs(self._variables[position]):
            raise InputError(f"variable {variable} of x or y is not in this gurobipy model; take one of its own")
        return variable

    def key(self, variable: gurobipy.Var) -> Hashable:
        return int(variable.index)

    def bounds(self, variables: Sequence[gurobipy.Var]) -> VariableBounds:
        lower = np.array(self.model.getAttr(GRB.Attr.LB, list(variables)), dtype=np.float64)
        upper = np.array(self.model.getAttr(GRB.Attr.UB, list(variables)), dtype=np.float64)
        lower[lower <= -GRB.INFINITY] = -np.inf
        upper[upper >= GRB.INFINITY] = np.inf
        return VariableBounds(lower, upper)

    def values(self, variables: Sequence[gurobipy.Var]) -> FloatArray:
        if not self.model.SolCount:
            raise InputError("the gurobipy model has no solution; call optimize() first")
        return np.asarray(self.model.getAttr(GRB.Attr.X, list(variables)), dtype=np.float64)

    def reserve_name(self, name: str | None, stem: str = "network") -> str:
        return reserve_name(self.model, name, stem)

    def insert(self, insertion: Insertion) -> Inserted:
        content, first = insertion.model, insertion.given
        created = self.model.addMVar(
            insertion.new,
            lb=content.column_lower[first:],
            ub=content.column_upper[first:],
            vtype=_kinds(content.integral[first:], content.column_lower[first:], content.column_upper[first:]),
            name=insertion.column_names(),
        )
        columns: Any = gurobipy.MVar.fromlist([*insertion.variables, *created.tolist()])
        names = np.array(insertion.row_names(), dtype=object)
        written: list[Any] = [created]
        for rows, sense, side in _sides(content.row_lower, content.row_upper):
            matrix = content.matrix if rows.size == content.row_count else content.matrix[rows]
            written.append(self.model.addMConstr(matrix, columns, sense, side, name=names[rows].tolist()))
        if content.indicators is not None:
            written += self._add_indicators(content.indicators, columns)
        if content.sos1 is not None:
            written += self._add_sos1(content.sos1, columns)
        self.prepare()
        return _GurobipyInserted(self.model, insertion.name, columns, written)

    def extract(self, without: Sequence[Inserted], mentioned: Sequence[Any]) -> Extraction:
        self.prepare()
        model = self.model
        ours = [inserted for inserted in without if isinstance(inserted, _GurobipyInserted)]
        kept = np.ones(model.NumConstrs, dtype=bool)
        for inserted in ours:
            kept[inserted.row_indices()] = False
        special = sum(inserted.special_count() for inserted in ours)
        _check_linear(model, special)
        rows = np.flatnonzero(kept)
        constraints = model.getConstrs()
        sense = np.array(model.getAttr(GRB.Attr.Sense, constraints), dtype=object)[rows]
        side = np.array(model.getAttr(GRB.Attr.RHS, constraints), dtype=np.float64)[rows]
        bounds = self.bounds(self._variables)
        kinds = np.array(model.getAttr(GRB.Attr.VType, self._variables), dtype=object)
        if np.isin(kinds, [GRB.SEMICONT, GRB.SEMIINT]).any():
            raise InputError("the gurobipy model holds semi-continuous variables; declare them otherwise")
        content = MilpModel(
            objective=np.array(model.getAttr(GRB.Attr.Obj, self._variables), dtype=np.float64),
            objective_constant=float(model.ObjCon),
            maximize=model.ModelSense == GRB.MAXIMIZE,
            matrix=sparse.csr_array(model.getA())[rows],
            row_lower=np.where(sense == GRB.LESS_EQUAL, -np.inf, side),
            row_upper=np.where(sense == GRB.GREATER_EQUAL, np.inf, side),
            column_lower=bounds.lower,
            column_upper=bounds.upper,
            integral=np.isin(kinds, [GRB.BINARY, GRB.INTEGER]),
        )
        position: dict[Hashable, int] = {column: column for column in range(len(self._variables))}
        return Extraction(content, tuple(self._variables), position)

    def load(self, variables: Sequence[gurobipy.Var], values: FloatArray) -> None:
        """Set the values as the start of the next optimize: Gurobi's own solution cannot be written."""
        self.model.setAttr(GRB.Attr.Start, list(variables), values.tolist())
        self.model.update()

    def _add_indicators(self, rows: IndicatorRows, columns: Any) -> list[Any]:
        written: list[Any] = []
        matrix: Any = rows.matrix
        for picked, senses, sides in _sides(rows.lower, rows.upper):
            for sense in np.unique(senses):
                here = senses == sense
                index = picked[here]
                active = rows.active[index].astype(int)
                left = matrix[index] @ columns
                added = self.model.addGenConstrIndicator(columns[rows.binary[index]], active, left, sense, sides[here])
                written += added.tolist()
        return written

    def _add_sos1(self, sets: Sos1Sets, columns: Any) -> list[Any]:
        members = columns[sets.columns].tolist()
        weights, start = sets.weights.tolist(), sets.start.tolist()
        return [
            self.model.addSOS(GRB.SOS_TYPE1, members[first:last], weights[first:last])
            for first, last in pairwise(start)
        ]


class _GurobipyInserted(Inserted):
    """Variables and constraints of a gurobipy model."""

    def __init__(self, model: Any, name: str, columns: Any, written: list[Any]) -> None:
        self.model, self.name, self.columns, self.written = model, name, columns, written

    def variables(self, columns: IntArray) -> list[Any]:
        chosen: list[Any] = self.columns[columns].tolist()
        return chosen

    def created(self) -> list[Any]:
        return list(self.written[0].tolist())

    def row_indices(self) -> list[int]:
        """Return the positions of the linear rows in the model."""
        blocks = [item for item in self.written if isinstance(item, gurobipy.MConstr)]
        return [constraint.index for block in blocks for constraint in block.tolist()]

    def special_count(self) -> int:
        """Return the number of SOS1 sets and indicator rows."""
        return sum(isinstance(item, gurobipy.SOS | gurobipy.GenConstr) for item in self.written)

    def remove(self) -> None:
        for item in reversed(self.written):
            self.model.remove(item)
        self.model.update()
        release_name(self.model, self.name)


def _check_linear(model: Any, special: int) -> None:
    """Refuse all that is neither a linear row nor one of the `special` constraints of embedded networks."""
    strange = {
        "a quadratic objective": model.IsQP,
        "quadratic constraints": model.NumQConstrs,
        "general constraints or SOS sets of its own": model.NumGenConstrs + model.NumSOS - special,
        "several objectives": model.NumObj > 1,
        "a piecewise-linear objective": model.NumPWLObjVars,
    }
    found = [what for what, present in strange.items() if present]
    if found:
        raise InputError(
            f"the gurobipy model has {found[0]}; a surrogate solve takes linear rows and one linear objective"
        )


def _kinds(integral: BoolArray, lower: FloatArray, upper: FloatArray) -> np.ndarray:
    """Return Gurobi's letters; indicator rows need their binaries declared as such."""
    binary = integral & (lower >= 0.0) & (upper <= 1.0)
    return np.where(binary, GRB.BINARY, np.where(integral, GRB.INTEGER, GRB.CONTINUOUS))


def _sides(lower: FloatArray, upper: FloatArray) -> list[tuple[IntArray, np.ndarray, FloatArray]]:
    """Return (rows, senses, right-hand sides); rows with two different finite sides come back in the second group."""
    equal = lower == upper
    below = np.isfinite(upper) & ~equal
    both = np.flatnonzero(below & np.isfinite(lower))
    senses = np.where(equal, GRB.EQUAL, np.where(below, GRB.LESS_EQUAL, GRB.GREATER_EQUAL))
    groups = [(np.arange(lower.size), senses, np.where(below, upper, lower))]
    if both.size:
        groups.append((both, np.full(both.size, GRB.GREATER_EQUAL), lower[both]))
    return groups
