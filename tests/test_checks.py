"""What Python callers give wrongly is refused in one sentence that names it; what can be converted is."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest

import netopt
from netopt.errors import InputError

NETWORK = netopt.from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
BOX = netopt.Box([-1], [1])
BOUNDS = netopt.compute_bounds(NETWORK, BOX)
PROPERTY = netopt.Property((netopt.Case(BOX, (netopt.Conjunction(-np.ones((1, 1)), -np.ones(1)),)),), 1, 1)


@pytest.mark.parametrize(
    "values", [[-1, 0], (-1.0, 0.0), np.array([-1, 0], np.float32), pd.Series([-1, 0]), [Fraction(-1), Fraction(0)]]
)
def test_numbers_of_any_kind_are_converted(values: Any) -> None:
    box = netopt.Box(values, [1, 1])
    assert box.lower.dtype == np.float64
    assert box.lower.tolist() == [-1.0, 0.0]


def test_properties_may_be_written_with_lists() -> None:
    rows: Any = netopt.Conjunction([[-1.0]], [-0.5])  # type: ignore[arg-type] # as a user writes it
    prop: Any = netopt.Property([netopt.Case(BOX, [rows])], 1, 1)  # type: ignore[arg-type]
    assert netopt.verify(NETWORK, prop, time_limit=60.0).status == "sat"
    assert netopt.verify(NETWORK, prop, time_limit=np.inf).status == "sat"


def maximize(**options: Any) -> Callable[[], object]:
    return lambda: netopt.maximize(NETWORK, **{"domain": BOX, **options})


def verify(prop: Any) -> Callable[[], object]:
    return lambda: netopt.verify(NETWORK, prop)


def solve(**parameters: Any) -> object:
    model = netopt.encode(NETWORK, BOX, BOUNDS, netopt.BigM()).builder.build()
    return netopt.get_solver("highs").solve(model, netopt.SolverParameters(**parameters))


def test_formulations_are_named_by_text() -> None:
    with pytest.raises(netopt.FormulationError, match="named by text such as 'big-m'; 3 was given"):
        netopt.parse_formulation(3)  # type: ignore[arg-type]


def conjunction(*parts: Any) -> Callable[[], object]:
    return lambda: netopt.Conjunction(*parts)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: netopt.Box("a", "b"), "the lower bounds must be real numbers"),  # type: ignore[arg-type]
        (lambda: netopt.Box(np.zeros(1) * 1j, np.ones(1)), "an array of complex128 was given"),  # type: ignore[arg-type]
        (lambda: netopt.Box.ball([0.5], -1.0), "the radius of a ball is -1; give 0 or more"),
        (lambda: netopt.Box.ball([0.5, 0.5], [0.1] * 3), r"radius has shape (3,) and the center (2,)"),  # type: ignore[arg-type]
        (lambda: NETWORK.forward("abc"), "the inputs must be real numbers"),
        (lambda: NETWORK.forward([[1.0], [1.0, 2.0]]), "the inputs must be real numbers"),
        (lambda: netopt.from_weights([[1.0]], [[0.0]]), "give (out, in) and (out,)"),
        (lambda: netopt.from_weights([[[np.nan]]], [[0.0]]), "layer 1 holds weights that are nan or infinite"),
        (lambda: netopt.read_vnnlib(3), "the property is of class int; give the path"),  # type: ignore[arg-type]
        (maximize(domain=([-1], [1])), "the domain is of class tuple; give a Box"),
        (maximize(output=0.5), "output is 0.5; give a whole number, at least 0"),
        (maximize(output=1), "output is 1; the network has outputs 0 to 0"),
        (maximize(weights="a"), "weights must be real numbers"),
        (maximize(weights=[1.0, 2.0]), "1 finite numbers, one an output; found: shape (2,)"),
        (maximize(weights=[np.inf]), "found: 1 not finite"),
        (maximize(time_limit="5"), "time_limit is '5'; give a positive number"),
        (maximize(threads=1.5), "threads is 1.5; give a whole number, at least 1"),
        (maximize(seed=-1), "seed is -1; give a whole number, at least 0"),
        (maximize(memory_limit="1"), "memory_limit is '1'; give a positive number of GB"),
        (maximize(gap="small"), "gap is 'small'; give a relative gap of 0 or more"),
        (maximize(solver=3), "the solver is of class int; give a MilpSolver, or a name"),
        (maximize(solver="highs", formulation=3), "the formulation is of class int; give a Formulation, or a name"),
        (maximize(prune=3), "prune is of class int; give a Surrogate"),
        (verify(BOX), "the property is of class Box; give a Property, or the path"),
        (lambda: netopt.compute_bounds("net.onnx", BOX), "the network is of class str; read it"),  # type: ignore[arg-type]
        (lambda: netopt.prune("net.onnx", "magnitude", 0.5), "the network is of class str; read it"),  # type: ignore[arg-type]
        (lambda: netopt.prune(NETWORK, "magnitude", 0.5, domain=3), "the domain is of class int"),  # type: ignore[arg-type]
        (lambda: netopt.DataBox("a"), "the points of a trust region must be real numbers"),
        (lambda: netopt.add_argmax_constr(3, 0), "give what add_predictor_constr returned"),  # type: ignore[arg-type]
        (lambda: netopt.solve_with_surrogate(3, 4), "a int was given as a network"),  # type: ignore[arg-type]
        (lambda: netopt.prune(NETWORK, "magnitude", "a"), "pruning rate a is not in [0, 1)"),  # type: ignore[arg-type]
        (lambda: netopt.prune(NETWORK, 3), "the pruning method is of class int"),  # type: ignore[arg-type]
        (lambda: netopt.prune(NETWORK, "random", 0.5, seed=0.5), "seed is 0.5; give a whole number"),  # type: ignore[arg-type]
        (lambda: netopt.prune(NETWORK, "magnitude", bounds=3), "bounds is of class int"),  # type: ignore[arg-type]
        (lambda: netopt.apply_mask(NETWORK, 3), "the mask is of class int; make one with netopt.prune"),  # type: ignore[arg-type]
        (lambda: netopt.reduce_network(NETWORK, BOX, 3), "bounds is of class int"),  # type: ignore[arg-type]
        (lambda: netopt.reduce_network(NETWORK, 3, BOUNDS), "the domain is of class int"),  # type: ignore[arg-type]
        (lambda: netopt.encode(NETWORK, BOX, 3, netopt.BigM()), "bounds is of class int"),  # type: ignore[arg-type]
        (lambda: netopt.encode(NETWORK, BOX, BOUNDS, "big-m"), "the formulation is of class str; give one"),  # type: ignore[arg-type]
        (lambda: netopt.difference_bounds(NETWORK, 3, BOX), "the network is of class int"),  # type: ignore[arg-type]
        (lambda: netopt.write_onnx(3, "net.onnx"), "the network is of class int"),  # type: ignore[arg-type]
        (lambda: netopt.write_onnx(NETWORK, 3), "the path is of class int; give text"),  # type: ignore[arg-type]
        (lambda: netopt.write_vnnlib(3, "prop.vnnlib"), "the property is of class int"),  # type: ignore[arg-type]
        (lambda: netopt.get_solver(3), "the solver's name is of class int"),  # type: ignore[arg-type]
        (lambda: netopt.parse_surrogate(3), "prune is of class int; write METHOD:RATE"),  # type: ignore[arg-type]
        (lambda: netopt.Surrogate(rungs="a"), "rungs is of class str; give a tuple of Pruning"),  # type: ignore[arg-type]
        (lambda: netopt.RelaxedSurrogate("a"), "rate is 'a'; give the fraction"),  # type: ignore[arg-type]
        (lambda: netopt.worst_difference(NETWORK, 3, BOX), "the network is of class int"),  # type: ignore[arg-type]
        (lambda: netopt.worst_difference(NETWORK, NETWORK, BOX, known=[1, 2]), "known bounds have shape (2,)"),  # type: ignore[arg-type]
        (lambda: netopt.worst_difference(NETWORK, NETWORK, BOX, time_limit="a"), "time_limit is 'a'"),  # type: ignore[arg-type]
        (lambda: netopt.find_ticket(NETWORK, "a"), "width is 'a'; give a whole number, at least 1"),  # type: ignore[arg-type]
        (lambda: netopt.find_ticket(NETWORK, 8, scale="a"), "scale=a is not a positive number"),  # type: ignore[arg-type]
        (lambda: netopt.find_ticket(NETWORK, 8, effort=3), "the effort is of class int"),  # type: ignore[arg-type]
        (lambda: netopt.find_ticket(NETWORK, 8, advance=3), "advance is 3; give a function, or None"),  # type: ignore[arg-type]
        (lambda: netopt.HarpOptions(keep="a"), "keep=a is not in (0, 1)"),  # type: ignore[arg-type]
        (lambda: netopt.HarpOptions(keep=0.5, epochs=1.5), "epochs is 1.5; give a whole number"),  # type: ignore[arg-type]
        (lambda: netopt.verify(NETWORK, PROPERTY, proof=3), "the proof's path is of class int"),  # type: ignore[arg-type]
        (lambda: netopt.verify(NETWORK, PROPERTY, progress=3), "progress is 3; give a function"),  # type: ignore[arg-type]
        (lambda: netopt.verify(NETWORK, PROPERTY, interrupt=3), "interrupt is 3; give a threading.Event"),  # type: ignore[arg-type]
        (lambda: solve(threads="a"), "threads is 'a'; give a whole number, at least 1"),
        (lambda: solve(relative_gap="a"), "relative_gap is 'a'; it must be finite"),
        (lambda: solve(bound_limit="a"), "bound_limit is 'a'; give a number or None"),
        (lambda: netopt.from_weights(3, 3), "weights is of class int; give a list"),  # type: ignore[arg-type]
        (lambda: netopt.L1Ball(3, "a", [0], [1]), "the centre of an L1 ball needs 1 finite entries"),  # type: ignore[arg-type]
        (lambda: netopt.L1Ball([0], "a", [0], [1]), "the radius of an L1 ball must be finite"),  # type: ignore[arg-type]
        (lambda: netopt.Polytope("a", [0], [1], [0], [1]), "the rows must be real numbers"),  # type: ignore[arg-type]
        (lambda: netopt.IntegerPoints(3, [True]), "the base of integer points is of class int"),  # type: ignore[arg-type]
        (conjunction([1.0], [0.5]), "a conjunction needs a matrix (rows, outputs) and a bound (rows,)"),
        (conjunction([[1.0]], "a"), "the bounds of the rows must be real numbers"),
        (lambda: netopt.Case(BOX, netopt.Conjunction(np.ones((1, 1)), np.ones(1))), "give a tuple of them"),  # type: ignore[arg-type]
        (lambda: netopt.Case(None, ()), "the domain of a case is of class NoneType; give a Box"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(call: Callable[[], object], words: str) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
