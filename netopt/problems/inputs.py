"""The edge: names, paths and objects of the caller become the objects the problems work with, checked once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from netopt.arrays import FloatArray
from netopt.bounds.preactivation import LEVELS
from netopt.checks import as_numbers, as_whole, check_callable, check_kind, is_positive
from netopt.errors import InputError, InvalidOptionError, SolverUnavailableError, UnsupportedModelError
from netopt.network.load import load_network
from netopt.network.network import Network
from netopt.problems.softmax import check_comparisons
from netopt.specification.fit import check_fit
from netopt.specification.property import Property
from netopt.specification.vnnlib import read_vnnlib

if TYPE_CHECKING:
    from formulations.formulation import Formulation
    from netopt.solvers.solver import MilpSolver


def as_network(network: Any, *, logits: bool) -> Network:
    """Return a network from a `Network`, a path or a model object; `logits` leaves out a trailing softmax."""
    if isinstance(network, Network):
        return network
    return load_network(network, output="logits" if logits else None)


def as_property(prop: Property | str | Path) -> Property:
    """Return a property from itself or from the path of a VNN-LIB file."""
    if isinstance(prop, (str, Path)):
        return read_vnnlib(prop)
    check_kind(prop, Property, "the property", "give a Property, or the path of a VNN-LIB file")
    return prop


def as_formulation(formulation: Formulation | str) -> Formulation:
    """Return a formulation from itself or from its name, e.g. ``"partition:4"``."""
    from formulations.formulation import Formulation
    from formulations.registry import parse_formulation

    if isinstance(formulation, str):
        return parse_formulation(formulation)
    check_kind(formulation, Formulation, "the formulation", 'give a Formulation, or a name such as "big-m"')
    return formulation


def as_solver(solver: MilpSolver | str) -> MilpSolver:
    """Return a solver from itself or its name.

    Raises
    ------
    SolverUnavailableError
        It is not installed or not licensed.
    """
    from netopt.solvers.registry import get_solver
    from netopt.solvers.solver import MilpSolver

    chosen = get_solver(solver) if isinstance(solver, str) else solver
    check_kind(chosen, MilpSolver, "the solver", 'give a MilpSolver, or a name such as "auto" or "highs"')
    availability = chosen.availability()
    if not availability.usable:
        raise SolverUnavailableError(availability.reason)
    return chosen


def check_pair(solver: MilpSolver, formulation: Formulation) -> None:
    """Refuse a formulation whose row kinds the solver does not take."""
    missing = formulation.requires - solver.capabilities.row_kinds
    if missing:
        raise UnsupportedModelError(
            f"{solver.name} takes no {' or '.join(sorted(missing))} rows, which the {formulation.name} formulation"
            " writes; choose big-m, partition or multiple-choice, or another solver"
        )


def as_device(name: str) -> str | None:
    """Return where torch searches, None for NumPy, which is the faster on a processor."""
    if name == "cpu":
        return None
    from netopt.bounds.torch_device import check_device

    check_device(name)
    return name


def check_level(bounds: str) -> None:
    """Refuse an unknown bound level."""
    if bounds not in LEVELS:
        raise InvalidOptionError(f"bounds is {bounds!r}; choose one of {', '.join(LEVELS)}")


def as_weights(network: Network, weights: ArrayLike | None, output: int | None) -> FloatArray:
    """Return the weights of the outputs, (m,): given, those of one output, or of the only one."""
    m = network.output_size
    if (weights is None) == (output is None) and not (m == 1 and weights is None):
        raise InvalidOptionError(f"the network has {m} outputs; give either output, 0 to {m - 1}, or weights, not both")
    if weights is not None:
        vector = as_numbers(weights, "weights")
        if vector.shape != (m,) or not np.isfinite(vector).all():
            given = (
                f"shape {vector.shape}"
                if vector.shape != (m,)
                else f"{np.count_nonzero(~np.isfinite(vector))} not finite"
            )
            raise InvalidOptionError(f"weights must be {m} finite numbers, one an output; found: {given}")
        return vector
    chosen = 0 if output is None else as_whole(output, "output", 0)
    if chosen >= m:
        raise InvalidOptionError(f"output is {chosen}; the network has outputs 0 to {m - 1}")
    unit = np.zeros(m)
    unit[chosen] = 1.0
    return unit


def check_watchers(progress: object, interrupt: object) -> None:
    """Refuse a `progress` that cannot be called, and an `interrupt` that says nothing."""
    check_callable(progress, "progress")
    if interrupt is not None and not hasattr(interrupt, "is_set"):
        raise InvalidOptionError(f"interrupt is {interrupt!r}; give a threading.Event, or None")


def check_gap(gap: float) -> None:
    """Refuse a relative gap that is not a number from 0 on."""
    if not (gap == 0.0 or (is_positive(gap) and np.isfinite(gap))):
        raise InvalidOptionError(f"gap is {gap!r}; give a relative gap of 0 or more, e.g. 1e-4")


def check_property(network: Network, prop: Property) -> None:
    """Refuse a property that is not about this network, or not about its outputs once a softmax is left out.

    Raises
    ------
    InputError
        The sizes differ, or a trailing softmax was left out and a row does more than compare two outputs.
    """
    for what, asked, has in (
        ("inputs", prop.input_size, network.input_size),
        ("outputs", prop.output_size, network.output_size),
    ):
        if asked != has:
            raise InputError(f"the property is about {asked} {what} and the network has {has}; check the pair of files")
    for case in prop.cases:
        check_fit(network, case.domain)
    if network.dropped_output is not None:
        check_comparisons(network.dropped_output, prop)
