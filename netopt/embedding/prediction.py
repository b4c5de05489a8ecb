"""The handle on an embedded network."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any, TextIO

import numpy as np

from netopt.arrays import FloatArray
from netopt.embedding.adapter import Inserted, ModelAdapter
from netopt.embedding.forms import AffineForms
from netopt.embedding.fragment import Fragment
from netopt.embedding.scaling import Scaling
from netopt.embedding.statistics import write_statistics
from netopt.errors import InputError
from netopt.network.network import Network


@dataclass(frozen=True, slots=True, eq=False)
class Wiring:
    """How a prediction hangs in its model.

    Attributes
    ----------
    inputs, outputs : the entries of x and y, row after row, over the user's (and created) variables.
    inserted : what was written, the network first; empty once removed.
    vector : x was given as a vector.
    """

    adapter: ModelAdapter
    name: str
    rows: int
    inputs: AffineForms
    outputs: AffineForms
    input_scaling: Scaling
    output_scaling: Scaling
    vector: bool
    inserted: list[Inserted]

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
        return values[0] if self.vector else values

    def package(self, variables: list[Any]) -> Any:
        """Return created variables in the library's array type, as x was given."""
        return package(self.adapter, variables, None if self.vector else self.rows)


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
        return self.wiring.shaped(self.wiring.values(self.wiring.inputs))

    @property
    def output_values(self) -> FloatArray:
        """The outputs in the model's solution, in the user's units: (m,) or (rows, m), as x was given.

        Raises
        ------
        InputError
            The model has no solution, or the network was removed.
        """
        return self.wiring.shaped(self.wiring.values(self.wiring.outputs))

    def get_error(self) -> FloatArray:
        """Return how far each output of the solution is from the network's own float64 answer at the solution's input.

        Returns
        -------
        (m,) or (rows, m) of absolute differences in the user's units, near the solver's feasibility tolerance for an
        exact formulation. Values far above say that bounds of variables were widened after the network was embedded, or
        that the solver's tolerances are too loose for the scale of the network.
        """
        wiring = self.wiring
        inputs = wiring.values(wiring.inputs)
        expected = wiring.output_scaling.unscale(self.network.forward(wiring.input_scaling.scale(inputs)))
        return wiring.shaped(np.abs(wiring.values(wiring.outputs) - expected))

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
