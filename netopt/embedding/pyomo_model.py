"""Models of Pyomo: one block an insertion, with linear expressions made straight from the arrays."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import pyomo.environ as pyo
from pyomo.core.expr.numeric_expr import LinearExpression
from pyomo.core.expr.visitor import identify_variables
from pyomo.repn import generate_standard_repn

from formulations.milp import MilpModel, NameBlock
from netopt.arrays import FloatArray, IntArray
from netopt.embedding.adapter import Inserted, Insertion, ModelAdapter, VariableBounds, number_terms
from netopt.embedding.extraction import Extraction
from netopt.embedding.forms import Terms
from netopt.embedding.pyomo_extraction import extract
from netopt.errors import InputError
from netopt.solvers.pauses import paused_collector


class PyomoModel(ModelAdapter):
    """Adapter of a Pyomo model or block; whatever Pyomo solves, it solves with the network in it."""

    library: ClassVar[str] = "pyomo"
    row_kinds: ClassVar[frozenset[str]] = frozenset({"sos1"})

    def __init__(self, model: Any) -> None:
        if getattr(model, "ctype", None) is not pyo.Block or model.is_indexed():
            raise InputError(f"a {type(model).__name__} was given as the model; pass a Pyomo model or a single block")
        self.model = model

    def prepare(self) -> None:
        if not self.model.is_constructed():
            raise InputError("the Pyomo model is abstract; call its create_instance() and pass the result")

    def unpack(self, values: Any) -> Any:
        if hasattr(values, "is_indexed") and values.is_indexed():
            return dict(values.items())
        return values

    def split(self, entry: Any) -> Terms:
        if isinstance(entry, Real) or not hasattr(entry, "is_potentially_variable"):
            return number_terms(entry, self.library)
        if not entry.is_potentially_variable():
            return number_terms(pyo.value(entry), self.library)
        for variable in identify_variables(entry, include_fixed=True):
            if variable.model() is not self.model.model():
                raise InputError(f"variable {variable.name!r} of x or y belongs to another Pyomo model")
        return Terms((entry,), (1.0,), 0.0) if entry.is_variable_type() else _linear_terms(entry)

    def shares_model(self, other: ModelAdapter) -> bool:
        """Return whether both are blocks of one concrete model."""
        return isinstance(other, PyomoModel) and other.model.model() is self.model.model()

    def key(self, variable: Any) -> Hashable:
        return id(variable)

    def bounds(self, variables: Sequence[Any]) -> VariableBounds:
        pairs = [variable.bounds for variable in variables]
        lower = np.array([-np.inf if low is None else low for low, _ in pairs], dtype=np.float64)
        upper = np.array([np.inf if high is None else high for _, high in pairs], dtype=np.float64)
        return VariableBounds(lower, upper)

    def values(self, variables: Sequence[Any]) -> FloatArray:
        values = [variable.value for variable in variables]
        if variables and all(value is None for value in values):
            raise InputError("the Pyomo model has no solution; solve it first")
        # Pyomo hands no value to a variable that no row mentions: an input the network ignores may be anything
        bounds = self.bounds(variables)
        anything = np.clip(0.0, bounds.lower, bounds.upper)
        return np.array([default if v is None else v for v, default in zip(values, anything, strict=True)])

    def reserve_name(self, name: str | None, stem: str = "network") -> str:
        if name is None:
            number = 1
            while self.model.component(f"{_component(stem)}{number}") is not None:
                number += 1
            return f"{_component(stem)}{number}"
        if self.model.component(name) is not None:
            raise InputError(f"the model already holds a component called {name!r}; remove it or choose another name")
        return name

    def insert(self, insertion: Insertion) -> Inserted:
        content = insertion.model
        block = pyo.Block(concrete=True)
        try:
            self.model.add_component(insertion.name, block)
        except ValueError as error:
            raise InputError(f"Pyomo takes no component called {insertion.name!r}; choose another name") from error
        with paused_collector():
            columns = np.empty(content.column_count, dtype=object)
            columns[: insertion.given] = insertion.variables
            _add_columns(block, content, columns)
            _add_rows(block, content, columns)
            if content.sos1 is not None:
                sets, members = content.sos1, columns[content.sos1.columns].tolist()
                start, weights = sets.start.tolist(), sets.weights.tolist()
                block.sos1 = pyo.SOSConstraint(
                    range(sets.count),
                    sos=1,
                    rule=lambda _, k: (members[start[k] : start[k + 1]], weights[start[k] : start[k + 1]]),
                )
        return _PyomoInserted(self.model, block, columns, insertion.given)

    def extract(self, without: Sequence[Inserted], mentioned: Sequence[Any]) -> Extraction:
        self.prepare()
        blocks = [inserted.block for inserted in without if isinstance(inserted, _PyomoInserted)]
        members = [variable for block in blocks for variable in block.component_data_objects(pyo.Var)]
        members += [variable for variable in mentioned if variable.model() is self.model.model()]
        return extract(self.model, blocks, members)

    def load(self, variables: Sequence[Any], values: FloatArray) -> None:
        """Set the values of the variables, except those the user fixed, as a solver would."""
        for variable, value in zip(variables, values.tolist(), strict=True):
            if not variable.fixed:
                variable.set_value(value, skip_validation=True)


class _PyomoInserted(Inserted):
    """A block of a Pyomo model."""

    def __init__(self, model: Any, block: Any, columns: np.ndarray, given: int) -> None:
        self.model, self.block, self.columns, self.given = model, block, columns, given

    def variables(self, columns: IntArray) -> list[Any]:
        chosen: list[Any] = self.columns[columns].tolist()
        return chosen

    def created(self) -> list[Any]:
        return list(self.columns[self.given :].tolist())

    def remove(self) -> None:
        self.model.del_component(self.block)


def _linear_terms(expression: Any) -> Terms:
    """Return a linear expression as terms; variables that are fixed now stay variables, as they may be freed later."""
    fixed = [v for v in identify_variables(expression, include_fixed=True) if v.fixed]
    for variable in fixed:
        variable.unfix()
    try:
        form = generate_standard_repn(expression)
    finally:
        for variable in fixed:
            variable.fix()
    if not form.is_linear():
        raise InputError(f"the entry {expression} of x or y is not linear; tie a variable to it and pass that")
    return Terms(form.linear_vars, form.linear_coefs, float(form.constant))


def _add_columns(block: Any, content: MilpModel, columns: np.ndarray) -> None:
    """Add one indexed variable a name and put its members into `columns`, after the user's."""
    lower, upper, integral = content.column_lower.tolist(), content.column_upper.tolist(), content.integral.tolist()
    for name, index, where in _components(content.column_blocks[1:], len(content.column_blocks[0].index)):
        component = pyo.Var(index)
        block.add_component(name, component)
        for variable, column in zip(component.values(), where, strict=True):
            low, high = lower[column], upper[column]
            variable.setlb(low if low > -np.inf else None)
            variable.setub(high if high < np.inf else None)
            if integral[column]:
                variable.domain = pyo.Binary if (low, high) == (0.0, 1.0) else pyo.Integers
            columns[column] = variable


def _add_rows(block: Any, content: MilpModel, columns: np.ndarray) -> None:
    """Add one indexed constraint a name."""
    matrix = content.matrix
    variables, values, start = columns[matrix.indices].tolist(), matrix.data.tolist(), matrix.indptr.tolist()
    lower, upper = content.row_lower.tolist(), content.row_upper.tolist()
    spare = columns[0]

    def row_expression(row: int) -> tuple[Any, ...]:
        first, last = start[row], start[row + 1]
        coefficients, members = values[first:last], variables[first:last]
        if not members:
            coefficients, members = [0.0], [spare]
        body = LinearExpression(linear_coefs=coefficients, linear_vars=members)
        low, high = lower[row], upper[row]
        if low == high:
            return body, low
        return (low if low > -np.inf else None), body, (high if high < np.inf else None)

    for name, index, where in _components(content.row_blocks, 0):
        rule = {key: row_expression(row) for key, row in zip(index, where, strict=True)}
        block.add_component(name, pyo.Constraint(index, rule=rule))


def _components(blocks: Sequence[NameBlock], first: int) -> list[tuple[str, list[Any], list[int]]]:
    """Return (component name, indices, positions) of each name; blocks that share one are one component.

    Parameters
    ----------
    first : position of the first block's first member.
    """
    parts: dict[str, list[tuple[IntArray, IntArray]]] = {}
    for block in blocks:
        where = np.arange(first, first + len(block.index))
        first += len(block.index)
        parts.setdefault(_component(block.prefix), []).append((block.index, where))
    components = []
    for name, members in parts.items():
        index = np.concatenate([index for index, _ in members])
        where = np.concatenate([where for _, where in members])
        keys = index.tolist() if index.ndim == 1 else [tuple(key) for key in index.tolist()]
        if len(set(keys)) < len(keys):
            keys = list(range(len(keys)))
        components.append((name, keys, where.tolist()))
    return components


def _component(name: str) -> str:
    """Return a name as Pyomo likes its components: without dots."""
    return name.replace(".", "_")
