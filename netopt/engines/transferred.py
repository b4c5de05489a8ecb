r"""An objective of the dense network f, bounded from above by one of a sparse network.

Three forms, each an upper bound of every slack of f on the whole domain, so that its maximum over the sparse network
bounds the maximum over f:

- *constant*: ``slack_i(f) <= slack_i(g) + max over the domain of -B_i (f - g)``;
- *linear*: ``slack_i(f)(x) <= slack_i(g)(x) + alpha_i x + beta_i``, the difference carried as a linear form;
- *neurons*: ``slack_i(f)(x) <= sum_v K_iv v(x) + alpha_i x + beta_i`` over the neurons v of g. The model of g holds
  these exactly, so nothing is relaxed but the differences of paired neurons; the output layer of f is used unpruned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from scipy import sparse

from netopt.arrays import FloatArray
from netopt.bounds.difference import DifferenceBounds
from netopt.bounds.inputs import as_inputs
from netopt.bounds.interval import collect
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.propagation import propagate
from netopt.engines.objective import SlackObjective
from netopt.errors import InvalidOptionError
from netopt.network.composition import structured
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine
from netopt.specification.domain import Domain
from netopt.specification.property import Conjunction

_HEAD = "transferred.affine"


@dataclass(frozen=True, slots=True, eq=False)
class Transferred:
    """A network and an objective whose value is at least that of the dense objective at every point of the domain."""

    network: Network
    objective: SlackObjective


def transfer(objective: SlackObjective, differences: DifferenceBounds, form: str) -> Transferred:
    """Return the objective of f as one of the sparse network.

    Parameters
    ----------
    objective : about the dense network of `differences`.
    form : one of `FORMS`.

    Raises
    ------
    InvalidOptionError
        The form is unknown.
    InputError
        The objective does not fit the network.
    """
    if form not in FORMS:
        raise InvalidOptionError(f"unknown form {form!r} of a transferred objective; choose one of {', '.join(FORMS)}")
    return FORMS[form](objective, differences)


def _constant(objective: SlackObjective, differences: DifferenceBounds) -> Transferred:
    rows = objective.conjunction
    above = differences.upper_functions(-rows.output_matrix)
    moved = replace(rows, bound=rows.bound + above.bound)
    return Transferred(differences.twin.sparse, SlackObjective(moved, objective.norm))


def _linear(objective: SlackObjective, differences: DifferenceBounds) -> Transferred:
    rows = objective.conjunction
    above = differences.upper_functions(-rows.output_matrix)
    return Transferred(differences.twin.sparse, _with_lines(objective, above.coefficients, above.constant))


def _neurons(objective: SlackObjective, differences: DifferenceBounds) -> Transferred:
    rows = objective.conjunction
    above = differences.sparse_functions(-rows.output_matrix, None if rows.input_matrix is None else -rows.input_matrix)
    used = {name: value for name, value in above.coefficients.items() if name == INPUT or value.any()}
    maps = tuple(structured(value) for value in used.values())
    head = Affine(_HEAD, tuple(used), maps, rows.bound + above.constant)
    sparse_network = differences.twin.sparse
    network = Network(
        (*sparse_network.nodes, head), _HEAD, sparse_network.inputs, (TensorSpec("slacks", (1, head.size)),)
    )
    return Transferred(network, SlackObjective(Conjunction(-np.eye(head.size), np.zeros(head.size)), objective.norm))


#: Name -> how the objective is carried over, loosest first.
FORMS: Mapping[str, Callable[[SlackObjective, DifferenceBounds], Transferred]] = MappingProxyType(
    {"constant": _constant, "linear": _linear, "neurons": _neurons}
)


def corrected(objective: SlackObjective, differences: DifferenceBounds) -> SlackObjective:
    """Return the objective of f as one of the sparse network g that is close to it, not above it.

    Every slack of g gets the linear function halfway between the bounds above and below what pruning took from it. No
    bound follows from its maximum, but its maximisers are better points of f than those of g's own objective, the more
    so the more was pruned.

    Raises
    ------
    InputError
        The objective does not fit the network.
    """
    rows = objective.conjunction
    count = rows.bound.size
    lines = differences.upper_functions(np.concatenate([-rows.output_matrix, rows.output_matrix]))
    slope = (lines.coefficients[:count] - lines.coefficients[count:]) / 2.0
    constant = (lines.constant[:count] - lines.constant[count:]) / 2.0
    if not (np.isfinite(slope).all() and np.isfinite(constant).all()):
        return objective
    return _with_lines(objective, slope, constant)


def _with_lines(objective: SlackObjective, slope: FloatArray, constant: FloatArray) -> SlackObjective:
    """Return an objective with linear functions of the inputs, (rows, n) and (rows,), added to its slacks."""
    rows, inputs = objective.conjunction, sparse.csr_array(-slope)
    if rows.input_matrix is not None:
        inputs = sparse.csr_array(rows.input_matrix + inputs)
    return SlackObjective(Conjunction(rows.output_matrix, rows.bound + constant, inputs), objective.norm)


def bounds_for(network: Network, domain: Domain, bounds: PreactivationBounds) -> PreactivationBounds:
    """Return bounds of a network's ReLUs as bounds of one that reads the same ReLUs out in another way."""
    return collect(propagate(network, as_inputs(network, domain), bounds.pairs), bounds.level)
