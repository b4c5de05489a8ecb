"""A user's whole model as arrays, without some of the networks in it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from formulations.milp import MilpModel
from netopt.arrays import BoolArray
from netopt.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class Extraction:
    """A model's linear rows, integrality and objective.

    Attributes
    ----------
    model : the columns are `variables`; it has no names.
    variables : the vendor's variables.
    position : key of a variable (`ModelAdapter.key`) -> its column.
    """

    model: MilpModel
    variables: tuple[Any, ...]
    position: dict[Hashable, int]

    def columns(self, keys: Sequence[Hashable]) -> list[int]:
        """Return the columns of variables with these keys.

        Raises
        ------
        InputError
            A variable is not in the model.
        """
        try:
            return [self.position[key] for key in keys]
        except KeyError as error:
            raise InputError(
                "a network's variables are not in the model that was given; pass the model it was embedded in"
            ) from error

    def without(self, keys: set[Hashable], network: str) -> Extraction:
        """Return the model without some columns, those inside a network, which nothing of the user's may mention.

        Raises
        ------
        InputError
            A row or the objective of the user's mentions one.
        """
        inside = np.zeros(self.model.column_count, dtype=bool)
        inside[[column for key, column in self.position.items() if key in keys]] = True
        used = np.zeros(self.model.column_count, dtype=bool)
        used[self.model.matrix.indices[self.model.matrix.data != 0.0]] = True
        if (inside & (used | (self.model.objective != 0.0))).any():
            raise InputError(
                f"a row or the objective mentions a neuron inside network {network!r}, which a surrogate replaces;"
                " keep to its inputs and outputs"
            )
        return self._restricted(~inside)

    def _restricted(self, kept: BoolArray) -> Extraction:
        model = self.model
        columns = np.flatnonzero(kept)
        key_of = {column: key for key, column in self.position.items()}
        return Extraction(
            model=replace(
                model,
                objective=model.objective[columns],
                matrix=model.matrix[:, columns],
                column_lower=model.column_lower[columns],
                column_upper=model.column_upper[columns],
                integral=model.integral[columns],
            ),
            variables=tuple(self.variables[column] for column in columns.tolist()),
            position={key_of[column]: k for k, column in enumerate(columns.tolist())},
        )
