"""Models of PySCIPOpt. It takes no arrays of rows, so coefficients are fed to SCIP in C-driven loops."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
from itertools import pairwise, repeat
from typing import Any, ClassVar

import numpy as np
import pyscipopt
from pyscipopt.scip import Expr, ExprCons, Term, Variable
from scipy import sparse

from formulations.milp import IndicatorRows, MilpModel, Sos1Sets
from netopt.arrays import FloatArray, IntArray
from netopt.embedding.adapter import Inserted, Insertion, ModelAdapter, VariableBounds, number_terms
from netopt.embedding.extraction import Extraction
from netopt.embedding.forms import Terms
from netopt.embedding.names import release_name, reserve_name
from netopt.errors import InputError
from netopt.solvers.pauses import paused_collector

_CHANGEABLE = ("INIT", "PROBLEM")


class PyscipoptModel(ModelAdapter):
    """Adapter of a ``pyscipopt.Model``."""

    library: ClassVar[str] = "pyscipopt"
    row_kinds: ClassVar[frozenset[str]] = frozenset({"sos1", "indicator"})

    def __init__(self, model: pyscipopt.Model) -> None:
        self.model = model
        self._known: frozenset[int] = frozenset()

    def prepare(self) -> None:
        _check_changeable(self.model)
        self._known = frozenset(variable.ptr() for variable in self.model.getVars())

    def package(self, variables: np.ndarray) -> Any:
        return variables.view(pyscipopt.scip.MatrixVariable)

    def split(self, entry: Any) -> Terms:
        if isinstance(entry, Variable):
            return Terms((self._own(entry),), (1.0,), 0.0)
        if not isinstance(entry, Expr):
            return number_terms(entry, self.library)
        if entry.degree() > 1:
            raise InputError(f"the entry {entry} of x or y is not linear; tie a variable to it and pass that")
        linear = [(self._own(term[0]), factor) for term, factor in entry.terms.items() if len(term)]
        constant = sum(factor for term, factor in entry.terms.items() if not len(term))
        return Terms([variable for variable, _ in linear], [factor for _, factor in linear], float(constant))

    def _own(self, variable: Variable) -> Variable:
        if variable.ptr() not in self._known:
            raise InputError(f"variable {variable.name!r} of x or y is not one of this SCIP model; take one of its own")
        return variable

    def key(self, variable: Variable) -> Hashable:
        return int(variable.ptr())

    def bounds(self, variables: Sequence[Variable]) -> VariableBounds:
        infinity = self.model.infinity()
        lower = np.array([variable.getLbOriginal() for variable in variables], dtype=np.float64)
        upper = np.array([variable.getUbOriginal() for variable in variables], dtype=np.float64)
        lower[lower <= -infinity] = -np.inf
        upper[upper >= infinity] = np.inf
        return VariableBounds(lower, upper)

    def values(self, variables: Sequence[Variable]) -> FloatArray:
        if not self.model.getNSols():
            raise InputError("the SCIP model has no solution; call optimize() first")
        best = self.model.getBestSol()
        return np.array([self.model.getSolVal(best, variable) for variable in variables], dtype=np.float64)

    def reserve_name(self, name: str | None, stem: str = "network") -> str:
        return reserve_name(self.model, name, stem)

    def insert(self, insertion: Insertion) -> Inserted:
        content = insertion.model
        with paused_collector():
            created = self._add_columns(insertion)
            columns = np.empty(content.column_count, dtype=object)
            columns[:] = [*insertion.variables, *created]
            written = self._add_rows(insertion, columns)
            if content.indicators is not None:
                written += self._add_indicators(content.indicators, columns, insertion.name)
            if content.sos1 is not None:
                written += self._add_sos1(content.sos1, columns, insertion.name)
        self._known |= {variable.ptr() for variable in created}
        return _PyscipoptInserted(self.model, insertion.name, columns, created, written)

    def extract(self, without: Sequence[Inserted], mentioned: Sequence[Any]) -> Extraction:
        self.prepare()
        variables = self.model.getVars()
        position: dict[Hashable, int] = {variable.ptr(): k for k, variable in enumerate(variables)}
        ours = {c.ptr() for item in without if isinstance(item, _PyscipoptInserted) for c in item.all_rows()}
        rows = _linear_rows([c for c in self.model.getConss(False) if c.ptr() not in ours])
        pointer, columns, data = [0], list[int](), list[float]()
        for constraint in rows:
            columns.extend(position[variable.ptr()] for variable in self.model.getConsVars(constraint))
            data.extend(self.model.getConsVals(constraint))
            pointer.append(len(columns))
        matrix = sparse.csr_array(
            (np.array(data), np.array(columns, dtype=np.int32), np.array(pointer)), shape=(len(rows), len(variables))
        )
        matrix.sum_duplicates()
        bounds = self.bounds(variables)
        infinity = self.model.infinity()
        lower = np.array([self.model.getLhs(row) for row in rows], dtype=np.float64)
        upper = np.array([self.model.getRhs(row) for row in rows], dtype=np.float64)
        if self.model.getObjective().degree() > 1:
            raise InputError("the SCIP model has an objective that is not linear; tie a variable to it")
        content = MilpModel(
            objective=np.array([variable.getObj() for variable in variables], dtype=np.float64),
            objective_constant=float(self.model.getObjoffset()),
            maximize=self.model.getObjectiveSense() == "maximize",
            matrix=matrix,
            row_lower=np.where(lower <= -infinity, -np.inf, lower),
            row_upper=np.where(upper >= infinity, np.inf, upper),
            column_lower=bounds.lower,
            column_upper=bounds.upper,
            integral=np.array([variable.vtype() != "CONTINUOUS" for variable in variables], dtype=bool),
        )
        return Extraction(content, tuple(variables), position)

    def load(self, variables: Sequence[Variable], values: FloatArray) -> None:
        """Add the solution, which `getVal` and `getBestSol` read and the next optimize starts from."""
        solution = self.model.createSol()
        for variable, value in zip(variables, values.tolist(), strict=True):
            self.model.setSolVal(solution, variable, value)
        self.model.addSol(solution)

    def _add_columns(self, insertion: Insertion) -> list[Variable]:
        content, first = insertion.model, insertion.given
        kinds = np.where(content.integral[first:], "I", "C").tolist()
        kinds = [
            "B" if kind == "I" and low == 0.0 and high == 1.0 else kind
            for kind, low, high in zip(
                kinds, content.column_lower[first:].tolist(), content.column_upper[first:].tolist(), strict=True
            )
        ]
        lower, upper = _open(content.column_lower[first:]), _open(content.column_upper[first:])
        return [
            self.model.addVar(name, kind, low, high)
            for name, kind, low, high in zip(insertion.column_names(), kinds, lower, upper, strict=True)
        ]

    def _add_rows(self, insertion: Insertion, columns: np.ndarray) -> list[Any]:
        """Write each row by its first term, the rest by ``addCoefLinear``: much faster than whole expressions."""
        content = insertion.model
        matrix = content.matrix
        variables, values, start = columns[matrix.indices].tolist(), matrix.data.tolist(), matrix.indptr.tolist()
        lower, upper = _open(content.row_lower), _open(content.row_upper)
        written = []
        for row, name in enumerate(insertion.row_names()):
            first, last = start[row], start[row + 1]
            head = Expr({Term(variables[first]): values[first]}) if first < last else Expr()
            constraint = self.model.addCons(ExprCons(head, lower[row], upper[row]), name=name)
            rest = map(
                self.model.addCoefLinear, repeat(constraint), variables[first + 1 : last], values[first + 1 : last]
            )
            deque(rest, maxlen=0)  # runs the map without a Python step a coefficient
            written.append(constraint)
        return written

    def _add_indicators(self, rows: IndicatorRows, columns: np.ndarray, name: str) -> list[Any]:
        """Write indicator rows; SCIP takes one side each."""
        written = []
        binaries, active = columns[rows.binary].tolist(), rows.active.tolist()
        lower, upper = _open(rows.lower), _open(rows.upper)
        matrix, start = rows.matrix, rows.matrix.indptr.tolist()
        terms = [Term(variable) for variable in columns]
        for row, binary in enumerate(binaries):
            inside = slice(start[row], start[row + 1])
            keys = [terms[column] for column in matrix.indices[inside].tolist()]
            values = matrix.data[inside].tolist()
            for side, bounds in enumerate(((lower[row], None), (None, upper[row]))):
                if bounds == (None, None):
                    continue
                constraint = ExprCons(Expr(dict(zip(keys, values, strict=True))), *bounds)
                label = f"{name}.indicator.{row}.{side}"
                written.append(self.model.addConsIndicator(constraint, binary, active[row], name=label))
        return written

    def _add_sos1(self, sets: Sos1Sets, columns: np.ndarray, name: str) -> list[Any]:
        members, weights, start = columns[sets.columns].tolist(), sets.weights.tolist(), sets.start.tolist()
        return [
            self.model.addConsSOS1(members[first:last], weights[first:last], name=f"{name}.sos1.{k}")
            for k, (first, last) in enumerate(pairwise(start))
        ]


class _PyscipoptInserted(Inserted):
    """Variables and constraints of a SCIP model."""

    def __init__(
        self, model: pyscipopt.Model, name: str, columns: np.ndarray, created: list[Variable], written: list[Any]
    ) -> None:
        self.model, self.name, self.columns, self.created_variables, self.written = (
            model,
            name,
            columns,
            created,
            written,
        )
        self.handed_out: set[int] = set()

    def variables(self, columns: IntArray) -> list[Any]:
        chosen: list[Any] = self.columns[columns].tolist()
        self.handed_out.update(variable.ptr() for variable in chosen)
        return chosen

    def created(self) -> list[Any]:
        return list(self.created_variables)

    def all_rows(self) -> list[Any]:
        """Return the constraints written, with the linear rows SCIP made of indicator rows."""
        rows = [self.model.getLinearConsIndicator(c) for c in self.written if c.getConshdlrName() == "indicator"]
        return [*self.written, *rows]

    def remove(self) -> None:
        """Delete rows and columns; outputs that the user holds are fixed at 0, as their rows may mention them."""
        _check_changeable(self.model)
        for constraint in reversed(self.written):
            if constraint.getConshdlrName() == "indicator":
                row = self.model.getLinearConsIndicator(constraint)
                slack = self.model.getSlackVarIndicator(constraint)
                self.model.delCons(constraint)
                self.model.delCons(row)
                self.model.delVar(slack)
            else:
                self.model.delCons(constraint)
        for variable in reversed(self.created_variables):
            if variable.ptr() in self.handed_out:
                self.model.chgVarLb(variable, 0.0)
                self.model.chgVarUb(variable, 0.0)
            else:
                self.model.delVar(variable)
        if not self.handed_out:
            release_name(self.model, self.name)


def _linear_rows(constraints: Sequence[Any]) -> list[Any]:
    for constraint in constraints:
        if constraint.getConshdlrName() != "linear":
            raise InputError(
                f"constraint {constraint.name!r} of the SCIP model is of kind {constraint.getConshdlrName()};"
                " a surrogate solve takes linear rows only"
            )
    return list(constraints)


def _check_changeable(model: pyscipopt.Model) -> None:
    stage = model.getStageName()
    if stage not in _CHANGEABLE:
        raise InputError(f"the SCIP model is in stage {stage} and cannot be changed; call its freeTransform() first")


def _open(sides: FloatArray) -> list[float | None]:
    """Return bounds as PySCIPOpt takes them: None where infinite."""
    infinite = ~np.isfinite(sides)
    if not infinite.any():
        return list(sides.tolist())
    opened = sides.astype(object)
    opened[infinite] = None
    return list(opened.tolist())
