"""The formulations by name, and the text form used on the command line: ``NAME`` or ``NAME:VALUE:VALUE``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from formulations.big_m import BigM
from formulations.errors import FormulationError
from formulations.formulation import Formulation
from formulations.indicator import Indicator
from formulations.multiple_choice import MultipleChoice
from formulations.partition import Partition
from formulations.sos1 import Sos1
from formulations.triangle import Triangle

#: Every formulation, by its name on the command line.
FORMULATIONS: Mapping[str, type[Formulation]] = MappingProxyType(
    {form.name: form for form in (BigM, Partition, MultipleChoice, Indicator, Sos1, Triangle)}
)


def parse_formulation(text: str) -> Formulation:
    """Return the formulation that `text` names, e.g. ``"big-m"`` or ``"partition:4"``.

    Values after the colon are the formulation's parameters in their order, separated by colons.

    Raises
    ------
    FormulationError
        The name is unknown, or a parameter is unknown or has a value that cannot be used.

    Examples
    --------
    >>> from formulations.registry import parse_formulation
    >>> parse_formulation("big-m").exact
    True
    """
    if not isinstance(text, str):
        raise FormulationError(f"a formulation is named by text such as 'big-m'; {text!r} was given")
    name, *values = text.split(":")
    if name not in FORMULATIONS:
        raise FormulationError(f"there is no formulation {name!r}; choose one of {', '.join(sorted(FORMULATIONS))}")
    form = FORMULATIONS[name]
    parameters = fields(form)  # type: ignore[arg-type]  # every concrete formulation is a dataclass
    if len(values) > len(parameters):
        takes = ", ".join(parameter.name for parameter in parameters) or "none"
        raise FormulationError(f"{text!r} gives {name} too many parameters; it takes {takes}")
    arguments: dict[str, Any] = {}
    for parameter, value in zip(parameters, values, strict=False):
        arguments[parameter.name] = int(value) if parameter.type == "int" and _is_integer(value) else value
    return form(**arguments)


def _is_integer(text: str) -> bool:
    return text.strip().lstrip("+-").isdigit()
