"""What netopt needs of a modelling library, and which adapter serves a given model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from importlib import import_module
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from formulations.milp import MilpModel
from netopt.arrays import FloatArray, IntArray
from netopt.embedding.extraction import Extraction
from netopt.embedding.forms import Terms
from netopt.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class VariableBounds:
    """Bounds of the user's variables, (count,) each, infinite where there are none."""

    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Insertion:
    """What is written into the user's model at once.

    Attributes
    ----------
    variables : the user's variables, columns 0, 1, … of `model`.
    model : its remaining columns and all its rows, SOS1 sets and indicator rows are new. Its objective is not used.
    name : prefix of every new name, unique in the user's model.
    """

    variables: tuple[Any, ...]
    model: MilpModel
    name: str

    @property
    def given(self) -> int:
        """Number of columns that are the user's."""
        return len(self.variables)

    @property
    def new(self) -> int:
        """Number of columns that are new."""
        return self.model.column_count - self.given

    def column_names(self) -> list[str]:
        """Return the names of the new columns."""
        return [f"{self.name}.{name}" for name in self.model.column_names[self.given :]]

    def row_names(self) -> list[str]:
        """Return the names of the rows."""
        return [f"{self.name}.{name}" for name in self.model.row_names]


class Inserted(ABC):
    """A written insertion; knows its new variables and how to take everything out again."""

    @abstractmethod
    def variables(self, columns: IntArray) -> list[Any]:
        """Return the vendor's variables of some columns of the insertion."""

    @abstractmethod
    def created(self) -> list[Any]:
        """Return the vendor's variables of all new columns."""

    @abstractmethod
    def remove(self) -> None:
        """Take what was written out of the user's model."""


class ModelAdapter(ABC):
    """A user's model behind the few questions the embedding asks; one concrete adapter a library, one a file."""

    #: Name of the library in messages.
    library: ClassVar[str]
    #: Row kinds beyond linear rows that the library takes: subset of {"sos1", "indicator"}.
    row_kinds: ClassVar[frozenset[str]]

    #: The library's model.
    model: Any

    def shares_model(self, other: ModelAdapter) -> bool:
        """Return whether another adapter is of the same model."""
        return other.model is self.model

    @abstractmethod
    def prepare(self) -> None:
        """Bring the model into a state in which it can be read and changed.

        Raises
        ------
        InputError
            The model cannot be changed now; the message says what to call first.
        """

    def unpack(self, values: Any) -> Any:
        """Return a vendor's container as nested sequences, arrays or mappings; anything else as it is."""
        return values

    def package(self, variables: np.ndarray) -> Any:
        """Return created outputs, an object array, in the library's own array type."""
        return variables

    @abstractmethod
    def split(self, entry: Any) -> Terms:
        """Return a scalar entry (variable, linear expression, number) as terms.

        Raises
        ------
        InputError
            The entry is not affine, or belongs to another model.
        """

    @abstractmethod
    def key(self, variable: Any) -> Hashable:
        """Return what tells a variable apart from the others of the model."""

    @abstractmethod
    def bounds(self, variables: Sequence[Any]) -> VariableBounds:
        """Return the bounds of some variables as the model has them now."""

    @abstractmethod
    def values(self, variables: Sequence[Any]) -> FloatArray:
        """Return the solution's values of some variables.

        Raises
        ------
        InputError
            The model has no solution.
        """

    @abstractmethod
    def reserve_name(self, name: str | None, stem: str = "network") -> str:
        """Return a name for the next insertion that no other has: `name`, or the first free of stem1, stem2, ….

        Raises
        ------
        InputError
            The given name is taken.
        """

    @abstractmethod
    def insert(self, insertion: Insertion) -> Inserted:
        """Write an insertion into the model."""

    @abstractmethod
    def extract(self, without: Sequence[Inserted], mentioned: Sequence[Any]) -> Extraction:
        """Return the whole model as arrays, without the rows of some insertions (their columns stay).

        Parameters
        ----------
        mentioned : variables that may be in nothing but those insertions.

        Raises
        ------
        InputError
            The model holds something that is not linear.
        """

    @abstractmethod
    def load(self, variables: Sequence[Any], values: FloatArray) -> None:
        """Leave a solution in the model, as far as the library has a place for one."""


_ADAPTERS = {
    "gurobipy": ("netopt.embedding.gurobipy_model", "GurobipyModel"),
    "highspy": ("netopt.embedding.highspy_model", "HighspyModel"),
    "pyomo": ("netopt.embedding.pyomo_model", "PyomoModel"),
    "pyscipopt": ("netopt.embedding.pyscipopt_model", "PyscipoptModel"),
}


def adapt(model: Any) -> ModelAdapter:
    """Return the adapter of the library that made `model`; no other library is imported.

    Raises
    ------
    InputError
        The model is of none of the four libraries.
    """
    for ancestor in type(model).__mro__:
        library = ancestor.__module__.split(".")[0]
        if library in _ADAPTERS:
            module, name = _ADAPTERS[library]
            adapter: ModelAdapter = getattr(import_module(module), name)(model)
            return adapter
    raise InputError(
        f"the model is a {type(model).__module__}.{type(model).__name__};"
        " pass a Pyomo model or block, a gurobipy.Model, a highspy.Highs or a pyscipopt.Model"
    )


def number_terms(entry: Any, library: str) -> Terms:
    """Return a number among the entries as terms.

    Raises
    ------
    InputError
        The entry is not a finite number either.
    """
    if not isinstance(entry, Real):
        raise InputError(
            f"an entry of x or y is a {type(entry).__name__}; pass variables or linear expressions of this {library}"
            " model, or numbers"
        )
    value = float(entry)
    if not np.isfinite(value):
        raise InputError(f"an entry of x or y is {value}; constants must be finite")
    return Terms((), (), value)
