"""The handle on an embedded network."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any, TextIO

import numpy as np

from netopt.arrays import FloatArray
from netopt.bounds.preactivation import PreactivationBounds
from netopt.embedding.adapter import Inserted, ModelAdapter
from netopt.embedding.forms import AffineForms
from netopt.embedding.fragment import Fragment, Recipe
from netopt.embedding.request import Request
from netopt.embedding.sparse import SparseOption
from netopt.embedding.stacking import Mapping
from netopt.embedding.statistics import write_statistics
from netopt.errors import InputError
from netopt.network.network import Network


@dataclass(frozen=True, slots=True, eq=False)
class Wiring:
    """How a prediction hangs in its model.

    Attributes
    ----------
    request : x and its rows over the user's variables.
    outputs : the entries of y, row after row, over the user's or the created variables.
    bounds : level of the bounds, or the bounds given.
    recipe : how each copy is written.
    sparse : how the network was pruned before; None where it was written whole.
    mappings : a row of x -> where the columns of its fragment are among the columns written.
    inserted : what was written, the network first; empty once removed.
    """

    adapter: ModelAdapter
    name: str
    request: Request
    outputs: AffineForms
    bounds: str | PreactivationBounds
    recipe: Recipe
    sparse: SparseOption | None
    mappings: tuple[Mapping, ...]
    inserted: list[Inserted]

    @property
    def rows(self) -> int:
        """Number of copies of the network."""
        return len(self.request.rows)

    def check_present(self) -> None:
        """Refuse to go on with a network that was removed."""
        if not self.inserted:
            raise InputError(f"network {self.name!r} was removed from the model; embed it again")

    def values(self, forms: AffineForms) -> FloatArray:
        """Return entries in the model's solution, (rows, entries)."""
        self.check_present()
        return forms.evaluate(self.adapter.values(forms.variables)).reshape(self.rows, -1)

    def shaped(self, values: FloatArray) -> FloatArray:
        """Return (rows, entries) as x was given: a vector for a vector."""
        return values[0] if self.request.vector else values

    def package(self, variables: list[Any]) -> Any:
        """Return created variables in the library's array type, as x was given."""
        return package(self.adapter, variables, None if self.request.vector else self.rows)


def package(adapter: ModelAdapter, variables: list[Any], rows: int | None) -> Any:
    """Return created variables in the library's array type, (count,) or, with `rows`, (rows, count / rows)."""
    array = np.empty(len(variables), dtype=object)
    array[:] = variables
    return adapter.package(array if rows is None else array.reshape(rows, -1))


@dataclass(frozen=True, slots=True, eq=False)
class PredictorConstraint:
    """``output == network(input)`` inside a user's model, for every row of the input.

    Made by `add_predictor_constr`.

    Attributes
    ----------
    input : x as the user gave it.
    output : y as the user gave it, or the created variables: (outputs,) for a vector x, (rows, outputs) for a matrix.
    network : the embedded network.
    name : prefix of the names of its columns and rows.
    fragments : how each row was written, one entry a row (rows with equal inputs share one).
    wiring : how it hangs in the model; for netopt's own use.
    """

    input: Any
    output: Any
    network: Network
    name: str
    fragments: tuple[Fragment, ...]
    wiring: Wiring = field(repr=False)

    @property
    def input_values(self) -> FloatArray:
        """The inputs in the model's solution, in the user's units: (n,) or (rows, n), as x was given.

        Raises
        ------
        InputError
            The model has no solution, or the network was removed.
        """
        return self.wiring.shaped(self.wiring.values(self.wiring.request.inputs))

    @property
    def output_values(self) -> FloatArray:
        """The outputs in the model's solution, in the user's units: (m,) or (rows, m), as x was given.

        Raises
        ------
        InputError
            The model has no solution, or the network was removed.
        """
        return self.wiring.shaped(self.wiring.values(self.wiring.outputs))

    def get_error(self, against: str = "network") -> FloatArray:
        """Return how far each output of the solution is from a network's own float64 answer at the solution's input.

        Parameters
        ----------
        against : ``"network"``, the predictor that was given: with a surrogate, this is the sparse network's distance
            to it. ``"surrogate"``, the network the constraint holds; the same where there is no surrogate.

        Returns
        -------
        (m,) or (rows, m) of absolute differences in the user's units. Against the network that the constraint holds it
        is near the solver's feasibility tolerance for an exact formulation. Values far above say that bounds of
        variables were widened after the network was embedded, or that the solver's tolerances are too loose for the
        scale of the network.

        Raises
        ------
        InputError
            The model has no solution, the network was removed, or there is no such network.
        """
        if against not in ("network", "surrogate"):
            raise InputError(f"get_error was asked against {against!r}; it knows 'network' and 'surrogate'")
        wiring, recipe = self.wiring, self.wiring.recipe
        if against == "network":
            answers = self.network.forward(recipe.input_scaling.scale(wiring.values(wiring.request.inputs)))
        else:
            answers = self._held_answers()
        return wiring.shaped(np.abs(wiring.values(wiring.outputs) - recipe.output_scaling.unscale(answers)))

    def _held_answers(self) -> FloatArray:
        """Return what the networks that were written answer, (rows, m) in the network's units."""
        self.wiring.check_present()
        request = self.wiring.request
        values = self.wiring.adapter.values(request.variables)
        rows = zip(self.fragments, request.rows, strict=True)
        return np.stack([fragment.encoding.network.forward(row.columns_at(values)) for fragment, row in rows])

    def print_stats(self, file: TextIO | None = None) -> None:
        """Print what was written, layer by layer, to `file` (standard output when None)."""
        write_statistics(self.name, self.network, self.fragments, sys.stdout if file is None else file)

    def remove(self) -> None:
        """Take the network, its created outputs and the class constraints on it out of the model.

        In a highspy model rows are freed and columns fixed at 0 rather than deleted, so that no index of the user's
        moves.

        Raises
        ------
        InputError
            The network was removed before.
        """
        self.wiring.check_present()
        while self.wiring.inserted:
            self.wiring.inserted[-1].remove()
            self.wiring.inserted.pop()
