"""What embedding refuses, whatever the library the user's model is written with."""

from __future__ import annotations

import numpy as np
import pytest
from embedded_networks import ABSOLUTE, perceptron_of
from modelling_libraries import HighspyLibrary

from formulations.errors import FormulationError
from netopt.bounds.interval import interval_bounds
from netopt.embedding import add_argmax_constr, add_predictor_constr
from netopt.errors import InputError, InvalidOptionError
from netopt.specification.box import Box


def test_bad_requests_are_refused_and_leave_the_model_as_it_was(library) -> None:
    network = perceptron_of(2).network
    x = library.variables([0.0] * 3, [1.0] * 3)
    t = library.variable(0.0, 5.0)
    refused = [
        (InputError, r"x has shape \(2,\)", {"x": x[:2]}),
        (InputError, r"x has shape \(3, 1\)", {"x": [[v] for v in x]}),
        (InputError, "does not have 3 scalar entries", {"x": [x, x[:2]]}),
        (InputError, r"y has shape \(1,\)", {"y": [t]}),
        (InputError, "is a str", {"x": [x[0], x[1], "x2"]}),
        (InputError, "must be finite", {"x": [x[0], x[1], float("nan")]}),
        (InputError, "outside", {"x": [x[0], x[1], 4.0], "input_bounds": (0.0, 1.0)}),
        (InputError, "overlap", {"input_bounds": (2.0, 3.0)}),
        (InputError, "input_bounds has bounds of shape", {"input_bounds": ([0.0, 0.0], 1.0)}),
        (InputError, "pair", {"input_bounds": 3.0}),
        (InputError, "factor of input_scaling is zero", {"input_scaling": (0.0, 0.0)}),
        (InputError, "offset of output_scaling", {"output_scaling": ([1.0, 2.0, 3.0], 1.0)}),
        (InputError, "not to the one at hand", {"bounds": interval_bounds(ABSOLUTE, Box(np.zeros(1), np.ones(1)))}),
        (InvalidOptionError, "bounds='tight' is unknown", {"bounds": "tight"}),
        (FormulationError, "no formulation", {"formulation": "bigm"}),
        (TypeError, "formulaton", {"formulaton": "big-m"}),
    ]
    for error, words, change in refused:
        arguments = {"x": x} | change
        with pytest.raises(error, match=words):
            add_predictor_constr(library.model, network, **arguments)
    assert library.maximize(t) == pytest.approx(5.0)
    library.reopen()
    prediction = add_predictor_constr(library.model, network, x)
    assert prediction.name == "network1"


def test_variables_of_another_model_are_refused(library) -> None:
    foreign = type(library)().variable(0.0, 1.0)
    own = library.variable(0.0, 1.0)
    mixed = [] if isinstance(library, HighspyLibrary) else [2.0 * foreign + own]  # highspy's keep no owner
    for entry in (foreign, *mixed):
        with pytest.raises(InputError, match=r"belongs to another|not in this|not one of this"):
            add_predictor_constr(library.model, ABSOLUTE, [entry])


def test_products_of_variables_are_refused(library) -> None:
    x = library.variables([0.0] * 2, [1.0] * 2)
    if isinstance(library, HighspyLibrary):
        pytest.skip("highspy has no products of variables")
    with pytest.raises(InputError, match=r"linear|quadratic"):
        add_predictor_constr(library.model, ABSOLUTE, [x[0] * x[1]])


def test_margins_below_the_solvers_tolerance_are_refused(library) -> None:
    prediction = add_predictor_constr(library.model, perceptron_of(2).network, library.variables([0.0] * 3, [1.0] * 3))
    for arguments, words in [
        ({"winner": 0, "margin": 1e-7}, "at least"),
        ({"winner": 2}, "classes are 0 to 1"),
        ({"winner": 0.5}, "one class number"),
        ({"winner": [0, 1]}, "one class number"),
    ]:
        with pytest.raises(InputError, match=words):
            add_argmax_constr(prediction, **arguments)
    single = add_predictor_constr(library.model, ABSOLUTE, [library.variable(0.0, 1.0)])
    with pytest.raises(InputError, match="at least two outputs"):
        add_argmax_constr(single, 0)


def test_values_need_a_solution(library) -> None:
    prediction = add_predictor_constr(library.model, ABSOLUTE, [library.variable(-1.0, 1.0)])
    with pytest.raises(InputError, match="no solution"):
        _ = prediction.output_values


def test_names_are_kept_apart(library) -> None:
    x = library.variable(-1.0, 1.0)
    add_predictor_constr(library.model, ABSOLUTE, [x], name="yield")
    with pytest.raises(InputError, match="'yield'"):
        add_predictor_constr(library.model, ABSOLUTE, [x], name="yield")
    assert [add_predictor_constr(library.model, ABSOLUTE, [x]).name for _ in range(2)] == ["network1", "network2"]
