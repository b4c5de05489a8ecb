"""What every registered formulation must do, on random layers with degenerate weights and bounds.

A formulation is judged by the solutions of its rows: with the inputs fixed, the output has to be the ReLU's (exact
forms), or the ReLU's has to be among the outputs (relaxations).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relu_layers import layer_of, layers
from scipy import sparse

from formulations.errors import InconsistentBoundsError, UnboundedNeuronError
from formulations.formulation import Formulation, ReluColumns, ReluLayer
from formulations.milp import VANISHED, MilpBuilder, MilpModel
from formulations.registry import FORMULATIONS, parse_formulation
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.registry import get_solver
from netopt.solvers.result import Termination
from netopt.solvers.solver import MilpSolver

#: Parameters that are tried besides each formulation's default ones.
VARIANTS = ("partition:1", "partition:3:equal-range", "partition:4")
FORMS = tuple(sorted({*FORMULATIONS, *VARIANTS}))
#: Solvers answer within their feasibility tolerance of 1e-6, and presolve is unreliable on models that lie within it.
SOLVABLE = (-2, 0, 0, 2, 4)
EXACT = tuple(form for form in FORMS if parse_formulation(form).exact)


def written(form: Formulation, layer: ReluLayer, point: np.ndarray | None = None) -> tuple[MilpModel, ReluColumns]:
    """Return the rows over the layer's box, or with its inputs fixed at `point`."""
    builder = MilpBuilder()
    lower, upper = (layer.input_lower, layer.input_upper) if point is None else (point, point)
    inputs = builder.add_columns(lower.size, lower=lower, upper=upper, name="x")
    columns = form.encode(builder, layer, inputs)
    return builder.build(), columns


def solver_for(model: MilpModel) -> MilpSolver:
    """Return a solver that takes the model's row kinds, or skip."""
    if model.sos1 is None and model.indicators is None:
        return get_solver("highs")
    for name in ("scip", "gurobi"):
        solver = get_solver(name)
        if solver.availability(model).usable:
            return solver
    pytest.skip("no solver for SOS1 and indicator rows is installed")


def extreme(model: MilpModel, coefficients: np.ndarray, *, maximize: bool, relaxed: bool = False) -> float:
    """Return the largest or smallest value of a linear function over a model."""
    asked = replace(
        model,
        objective=coefficients,
        maximize=maximize,
        integral=np.zeros_like(model.integral) if relaxed else model.integral,
        sos1=None if relaxed else model.sos1,
        indicators=None if relaxed else model.indicators,
    )
    answer = solver_for(asked).solve(asked, SolverParameters(relative_gap=0.0))
    assert answer.termination is Termination.OPTIMAL, answer
    assert answer.primal_bound is not None
    return answer.primal_bound


def outputs(columns: ReluColumns, model: MilpModel, weights: np.ndarray) -> np.ndarray:
    """Return the coefficients of ``weights @ y``."""
    coefficients = np.zeros(model.column_count)
    kept = columns.output != VANISHED
    np.add.at(coefficients, columns.output[kept], weights[kept])
    return coefficients


def points_of(layer: ReluLayer, generator: np.random.Generator, count: int) -> np.ndarray:
    """Return points of the box: inside, on faces, and where a neuron switches."""
    points = generator.uniform(layer.input_lower, layer.input_upper, size=(count, layer.input_lower.size))
    corners = generator.random(points.shape) < 0.3
    ends = np.where(generator.random(points.shape) < 0.5, layer.input_lower, layer.input_upper)
    return np.where(corners, ends, points)


def scale_of(layer: ReluLayer) -> float:
    finite = np.concatenate([layer.lower, layer.upper])
    return 1.0 + float(np.abs(finite[np.isfinite(finite)]).max(initial=0.0))


@pytest.mark.parametrize("name", FORMS)
@settings(max_examples=30)
@given(layer=layers(), seed=st.integers(0, 1000))
def test_the_graph_is_feasible(name: str, layer: ReluLayer, seed: int) -> None:
    """At every input the completed columns satisfy every row: this is also every engine's MIP start."""
    form = parse_formulation(name)
    model, columns = written(form, layer)
    for x in points_of(layer, np.random.default_rng(seed), 12):
        point = np.zeros(model.column_count)
        point[: x.size] = x
        where, values = form.complete(layer, columns, x)
        assert np.array_equal(np.sort(where), np.arange(x.size, model.column_count)), "a column was left out"
        point[where] = values
        assert model.violation(point) <= 1e-9 * scale_of(layer)
        kept = columns.output != VANISHED
        expected = np.maximum(layer.preactivation(x), 0.0)
        np.testing.assert_allclose(point[columns.output[kept]], expected[kept])
        np.testing.assert_allclose(expected[~kept], 0.0, atol=1e-9 * scale_of(layer))


@pytest.mark.parametrize("name", EXACT)
@settings(max_examples=15)
@given(layer=layers(scales=SOLVABLE), seed=st.integers(0, 1000))
def test_nothing_but_the_graph_is_feasible(name: str, layer: ReluLayer, seed: int) -> None:
    """With the inputs fixed, neurons are independent: the extremes of the sum of outputs are those of each."""
    for x in points_of(layer, np.random.default_rng(seed), 2):
        model, columns = written(parse_formulation(name), layer, x)
        ones = outputs(columns, model, np.ones(layer.neurons))
        expected = np.maximum(layer.preactivation(x), 0.0).sum()
        tolerance = 1e-5 * scale_of(layer)
        assert extreme(model, ones, maximize=True) == pytest.approx(expected, abs=tolerance)
        assert extreme(model, ones, maximize=False) == pytest.approx(expected, abs=tolerance)


@settings(max_examples=40)
@given(layer=layers(neurons=2, scales=SOLVABLE), seed=st.integers(0, 1000), tightening=st.sampled_from([1.0, 0.6, 0.2]))
def test_relaxations_get_stronger(layer: ReluLayer, seed: int, tightening: float) -> None:
    """LP bounds, all with the same bounds: triangle = big-M >= partition in 2, 4 groups >= multiple choice."""
    layer = tightened(layer, tightening)
    generator = np.random.default_rng(seed)
    weights, slopes = generator.normal(size=layer.neurons), generator.normal(size=layer.input_lower.size)
    slopes *= np.abs(layer.weight.toarray()).max(initial=1e-9)
    fan_in = max(int(np.diff(layer.weight.indptr).max(initial=1)), 1)
    names = ["triangle", "big-m", "partition:1", "partition:2", "partition:4", f"partition:{fan_in}", "multiple-choice"]
    found = {}
    for name in names:
        model, columns = written(parse_formulation(name), layer)
        coefficients = outputs(columns, model, weights)
        coefficients[: slopes.size] += slopes
        found[name] = extreme(model, coefficients, maximize=True, relaxed=True)
    tolerance = 5e-5 * scale_of(layer)  # very small bounds are rounded outward
    assert found["big-m"] == pytest.approx(found["triangle"], abs=tolerance)
    assert found["partition:1"] == pytest.approx(found["big-m"], abs=tolerance)
    assert found["partition:2"] <= found["big-m"] + tolerance
    assert found["partition:4"] <= found["partition:2"] + tolerance
    assert found["multiple-choice"] <= found["partition:4"] + tolerance
    assert found[f"partition:{fan_in}"] == pytest.approx(found["multiple-choice"], abs=tolerance)


@settings(max_examples=30)
@given(layer=layers(neurons=1, scales=SOLVABLE), seed=st.integers(0, 1000), tightening=st.sampled_from([1.0, 0.5]))
def test_multiple_choice_is_ideal(layer: ReluLayer, seed: int, tightening: float) -> None:
    """For one neuron the relaxation has the optimum of the integer program, whatever the objective."""
    layer = tightened(layer, tightening)
    generator = np.random.default_rng(seed)
    model, columns = written(parse_formulation("multiple-choice"), layer)
    coefficients = outputs(columns, model, np.array([generator.normal()]))
    size = layer.input_lower.size
    coefficients[:size] += generator.normal(size=size) * np.abs(layer.weight.toarray()).max(initial=1e-9)
    relaxed = extreme(model, coefficients, maximize=True, relaxed=True)
    exact = extreme(model, coefficients, maximize=True)
    assert relaxed == pytest.approx(exact, abs=1e-5 * scale_of(layer))


def tightened(layer: ReluLayer, factor: float) -> ReluLayer:
    """Return the layer with tighter pre-activation bounds where neurons are unstable, as a bounding pass would give."""
    unstable = layer.unstable
    return replace(
        layer,
        lower=np.where(unstable, factor * layer.lower, layer.lower),
        upper=np.where(unstable, factor * layer.upper, layer.upper),
    )


def test_multiple_choice_is_strictly_stronger_somewhere() -> None:
    layer = layer_of(np.ones((1, 2)), np.zeros(1), -np.ones(2), np.ones(2))
    values = {}
    for name in ("big-m", "multiple-choice"):
        model, columns = written(parse_formulation(name), layer)
        coefficients = outputs(columns, model, np.ones(1))
        coefficients[0] = -1.0  # max y - x0
        values[name] = extreme(model, coefficients, maximize=True, relaxed=True)
    assert values["big-m"] == pytest.approx(2.0)
    assert values["multiple-choice"] == pytest.approx(1.0)


def test_the_pre_activation_bounds_keep_the_hull_at_least_as_strong_as_a_tightened_big_m() -> None:
    """A hull over the box alone would allow y = u of the box here."""
    layer = layer_of(
        np.ones((1, 2)), np.zeros(1), -np.ones(2), np.ones(2), lower=np.array([-0.25]), upper=np.array([0.25])
    )
    for name in ("big-m", "partition", "multiple-choice"):
        model, columns = written(parse_formulation(name), layer)
        assert extreme(model, outputs(columns, model, np.ones(1)), maximize=True, relaxed=True) == pytest.approx(0.25)


@pytest.mark.parametrize("name", FORMS)
def test_stable_neurons_cost_nothing(name: str) -> None:
    """An active neuron is one row, an inactive one vanishes, and zero weights write nothing."""
    weight = np.array([[1.0, 0.0, 2.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    layer = layer_of(weight, np.array([10.0, -10.0, -1.0]), -np.ones(3), np.ones(3))
    model, columns = written(parse_formulation(name), layer)
    assert columns.output.tolist() == [3, VANISHED, VANISHED]
    assert columns.binary.tolist() == [VANISHED] * 3
    assert (model.column_count, model.row_count, model.matrix.nnz) == (4, 1, 3)
    assert model.sos1 is None
    assert model.indicators is None


@pytest.mark.parametrize("name", FORMS)
def test_unstable_neurons_get_at_most_one_binary(name: str) -> None:
    layer = layer_of(
        np.array([[1.0, -1.0], [2.0, 0.5], [1.0, 1.0]]), np.array([0.0, 0.0, 9.0]), -np.ones(2), np.ones(2)
    )
    form = parse_formulation(name)
    model, columns = written(form, layer)
    binaries = int(model.integral.sum())
    assert binaries == (2 if form.exact and "sos1" not in form.requires else 0)
    assert int((columns.binary != VANISHED).sum()) == binaries
    assert (model.sos1 is not None) == ("sos1" in form.requires)
    assert (model.indicators is not None) == ("indicator" in form.requires)


@pytest.mark.parametrize("name", FORMS)
def test_columns_that_vanished_are_zero(name: str) -> None:
    """A layer reads `VANISHED` inputs as zeros."""
    weight = np.array([[1.0, 5.0, -1.0], [-2.0, 3.0, 0.5]])
    bias = np.array([0.1, 0.2])
    full = layer_of(weight, bias, np.array([-1.0, 0.0, -1.0]), np.array([1.0, 0.0, 1.0]))
    without = layer_of(weight[:, [0, 2]], bias, -np.ones(2), np.ones(2))
    form = parse_formulation(name)
    values = []
    for layer, place in ((full, [0, VANISHED, 1]), (without, [0, 1])):
        builder = MilpBuilder()
        builder.add_columns(2, lower=-1.0, upper=1.0, name="x")
        columns = form.encode(builder, layer, np.array(place))
        model = builder.build()
        coefficients = outputs(columns, model, np.array([1.0, -1.0]))
        coefficients[0] = -0.3
        values.append(extreme(model, coefficients, maximize=True))
    assert values[0] == pytest.approx(values[1], abs=1e-6)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("side", ["lower", "upper"])
def test_an_infinite_bound_is_an_error_only_where_it_is_used(name: str, side: str) -> None:
    form = parse_formulation(name)
    layer = layer_of(np.array([[1.0, 1.0], [1.0, 0.0]]), np.array([0.0, 5.0]), -np.ones(2), np.ones(2))
    infinite = {"lower": np.array([-np.inf, 4.0]), "upper": np.array([np.inf, 6.0])}
    open_ended = replace(layer, **{side: infinite[side]})
    if form.needs_finite_bounds:
        with pytest.raises(UnboundedNeuronError, match=r"layer1\.relu\.0 has bounds \[.*inf"):
            written(form, open_ended)
    else:
        model, columns = written(form, open_ended)
        largest = extreme(model, outputs(columns, model, np.ones(2)), maximize=True)
        assert largest == pytest.approx(8.0, abs=1e-5) if form.exact else largest >= 8.0
    stable = replace(layer, lower=np.array([-2.0, 4.0]), upper=np.array([2.0, np.inf]))
    written(form, stable)  # the second neuron is active: nothing needs its upper bound


@pytest.mark.parametrize("name", FORMS)
def test_bounds_that_contradict_are_an_error(name: str) -> None:
    layer = layer_of(np.ones((2, 1)), np.zeros(2), -np.ones(1), np.ones(1))
    for lower, upper in ((1.0, -1.0), (np.nan, 1.0), (-1.0, np.nan)):
        broken = replace(layer, lower=np.array([-1.0, lower]), upper=np.array([1.0, upper]))
        with pytest.raises(InconsistentBoundsError, match=r"layer1\.relu\.1"):
            written(parse_formulation(name), broken)


@pytest.mark.parametrize("name", FORMS)
def test_work_grows_with_the_weights_only(name: str) -> None:
    """A layer of 500 x 500 is written in well under a second: nothing loops over neurons or weights."""
    import time

    generator = np.random.default_rng(0)
    layer = layer_of(generator.normal(size=(500, 500)), np.zeros(500), -np.ones(500), np.ones(500))
    layer = replace(layer, weight=sparse.csr_array(layer.weight))
    begun = time.perf_counter()
    written(parse_formulation(name), layer)
    assert time.perf_counter() - begun < 5.0
