"""The parts of a surrogate solve: evaluation, moves, written models, surrogates as constraints, what is refused."""

import io

import highspy
import numpy as np
import pytest
from activation_patterns import random_perceptron

from netopt.embedding import add_predictor_constr, solve_with_surrogate
from netopt.embedding.adapter import adapt
from netopt.embedding.sparse import parse_sparse
from netopt.embedding.surrogate_candidate import candidate
from netopt.embedding.surrogate_evaluation import Evaluator
from netopt.embedding.surrogate_moves import LocalSearch
from netopt.embedding.surrogate_problem import read_problem
from netopt.embedding.surrogate_writing import write_problem
from netopt.errors import InputError
from netopt.network.build import from_weights
from netopt.specification.box import Box
from netopt.tightening.levels import tighten

ABSOLUTE = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])


@pytest.fixture
def model() -> highspy.Highs:
    model = highspy.Highs()
    model.silent()
    return model


def chained(model: highspy.Highs, seed: int):
    """Two networks, the second reading the first and an equation between; one column is left to a linear program."""
    generator = np.random.default_rng(seed)
    first = random_perceptron(generator, [4, 5, 2]).network
    second = random_perceptron(generator, [3, 4, 1]).network
    x = [model.addIntegral(lb=-1.0, ub=2.0) for _ in range(3)]
    u, total, slack = model.addVariable(lb=0.0, ub=1.0), model.addVariable(lb=-50.0, ub=50.0), model.addVariable(ub=9.0)
    inner = add_predictor_constr(model, first, [*x, u], output_scaling=(1.0, [-2.0, 0.5]))
    model.addConstr(total == inner.output[0] + 2.0 * u + x[0])
    outer = add_predictor_constr(model, second, [total, inner.output[1] - x[1], x[2]])
    model.addConstr(slack <= outer.output[0] + 20.0)
    model.setObjective(outer.output[0] + slack, highspy.ObjSense.kMaximize)
    return [inner, outer], (first, second)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rate", [None, "magnitude:0.5"])
def test_evaluated_points_are_points_of_the_written_model(model, seed, rate) -> None:
    """Forward passes and equations on one side, rows of two formulated networks on the other."""
    predictions, _ = chained(model, seed)
    _, problem = read_problem(adapt(model), predictions)
    written = write_problem(problem, None if rate is None else parse_sparse(rate))
    evaluator = Evaluator(problem, written.blocks)
    assert evaluator.decisions.tolist() == [3]  # u: total follows from an equation, y from the networks
    assert evaluator.rest.tolist() == [5]
    generator = np.random.default_rng(seed)
    points = np.zeros((20, problem.linear.column_count))
    points[:, :3], points[:, 3] = generator.integers(-1, 3, size=(20, 3)), generator.uniform(size=20)
    evaluated = evaluator.evaluate(points)
    for k in range(20):
        whole = written.start(evaluated.points[k])
        assert written.model.objective_value(whole) == pytest.approx(evaluated.worth[k])
        if evaluated.violation[k] <= 1e-9:
            assert written.model.violation(whole) <= 1e-6
    assert (evaluated.violation <= 1e-9).any()


def test_evaluated_outputs_are_the_networks_own(model) -> None:
    predictions, (first, second) = chained(model, 9)
    _, problem = read_problem(adapt(model), predictions)
    evaluator = Evaluator(problem, write_problem(problem).blocks)
    point = np.zeros((1, problem.linear.column_count))
    point[0, :4] = [1.0, -1.0, 2.0, 0.25]
    whole = evaluator.evaluate(point).points[0]
    inner = 1.0 + first.forward(point[0, :4]) * [-2.0, 0.5]
    total = inner[0] + 2.0 * 0.25 + 1.0
    outer = second.forward([total, inner[1] + 1.0, 2.0])
    np.testing.assert_allclose(whole[[4, 6, 7, 8]], [total, *inner, *outer], atol=1e-12)


def test_moves_keep_the_linear_rows_and_end_where_none_is_better(model) -> None:
    network = random_perceptron(np.random.default_rng(1), [6, 8, 1]).network
    x = [model.addIntegral(lb=0.0, ub=3.0) for _ in range(6)]
    model.addConstr(sum(x) == 5)
    model.addConstr(x[0] - x[1] <= 1)
    prediction = add_predictor_constr(model, network, x)
    model.setObjective(1.0 * prediction.output[0], highspy.ObjSense.kMinimize)
    _, problem = read_problem(adapt(model), [prediction])
    evaluator = Evaluator(problem, write_problem(problem).blocks)
    search = LocalSearch(evaluator, lambda point: point, np.random.default_rng(0))
    start = np.zeros((1, problem.linear.column_count))
    start[0, :6] = [1, 1, 1, 1, 1, 0]
    found = search.descend(candidate(evaluator.evaluate(start), 0), lambda: False)
    assert found.feasible
    values = found.point[:6]
    assert values.sum() == 5
    for up in range(6):
        for down in range(6):
            moved = values.copy()
            moved[up] += 1
            moved[down] -= 1
            if moved.min() >= 0 and moved.max() <= 3 and moved[0] - moved[1] <= 1:
                assert network.forward(moved)[0] >= -found.worth - 1e-9
    disturbed = search.disturb(found, 3)
    assert disturbed.point[:6].sum() == 5


def test_a_surrogate_agrees_with_the_network_where_it_is_asked_to(model) -> None:
    network = random_perceptron(np.random.default_rng(2), [5, 9, 8, 2]).network
    x = [model.addVariable(lb=-1.0, ub=1.0) for _ in range(5)]
    prediction = add_predictor_constr(model, network, x)
    model.setObjective(1.0 * prediction.output[0], highspy.ObjSense.kMaximize)
    _, problem = read_problem(adapt(model), [prediction])
    center = np.array([0.5, -1.0, 0.25, 1.0, 0.0, 0.0, 0.0])
    sparse = write_problem(problem, parse_sparse("domain-aware:0.8"), center)
    whole = Evaluator(problem, sparse.blocks).evaluate(center[None]).points[0]
    np.testing.assert_allclose(whole[5:7], network.forward(center[:5]), atol=1e-9)
    assert sparse.binary_count < write_problem(problem).binary_count


def test_a_surrogate_as_a_constraint(model) -> None:
    network = random_perceptron(np.random.default_rng(4), [5, 12, 12, 2]).network
    x = [model.addVariable(lb=-1.0, ub=1.0) for _ in range(5)]
    prediction = add_predictor_constr(model, network, x, surrogate="domain-aware:0.7", output_scaling=(3.0, -2.0))
    model.maximize(1.0 * prediction.output[0])
    assert prediction.get_error(against="surrogate").max() <= 1e-5
    expected = 3.0 - 2.0 * network.forward(prediction.input_values)
    np.testing.assert_allclose(prediction.get_error(), np.abs(prediction.output_values - expected), atol=1e-9)
    assert prediction.get_error().max() > 1e-3
    with pytest.raises(InputError, match="'network' and 'surrogate'"):
        prediction.get_error(against="sparse")
    text = io.StringIO()
    prediction.print_stats(text)
    line = next(line for line in text.getvalue().splitlines() if line.startswith("sparse surrogate"))
    fragment = prediction.fragments[0]
    dense = tighten(network, Box(-np.ones(5), np.ones(5)), "crown")
    *layers, correction = fragment.encoding.network.affines
    kept, whole = (
        sum(np.count_nonzero(m.to_csr().toarray()) for node in nodes for m in node.maps)
        for nodes in (layers, network.affines)
    )
    assert f"{kept} of {whole} weights" in line
    assert f"{fragment.encoding.network.relu_count} of 24 neurons" in line
    assert f"{fragment.bounds.unstable_count} of {dense.unstable_count} unstable" in line
    assert line.endswith(f"a linear function of x with {correction.maps[1].to_csr().nnz} weights")


def test_rows_of_the_users_on_neurons_are_refused(model) -> None:
    x = model.addVariable(lb=-1.0, ub=1.0)
    prediction = add_predictor_constr(model, ABSOLUTE, [x])
    inside = [column for column in prediction.wiring.inserted[0].created() if column != prediction.output[0].index]
    model.changeColCost(inside[0], 1.0)
    with pytest.raises(InputError, match="inside network 'network1'"):
        solve_with_surrogate(model, prediction)


def test_what_is_not_linear_is_refused_in_highspy(model) -> None:
    x = model.addVariable(lb=-1.0, ub=1.0)
    prediction = add_predictor_constr(model, ABSOLUTE, [x])
    model.changeColIntegrality(x.index, highspy.HighsVarType.kSemiContinuous)
    with pytest.raises(InputError, match="semi-continuous"):
        solve_with_surrogate(model, prediction)


def test_what_is_not_linear_is_refused_in_pyomo() -> None:
    pyo = pytest.importorskip("pyomo.environ")
    model = pyo.ConcreteModel()
    model.x = pyo.Var(bounds=(-1, 1))
    prediction = add_predictor_constr(model, ABSOLUTE, [model.x])
    with pytest.raises(InputError, match="0 active objectives"):
        solve_with_surrogate(model, prediction)
    model.goal = pyo.Objective(expr=model.x)
    model.curve = pyo.Constraint(expr=model.x**2 <= 0.5)
    with pytest.raises(InputError, match="nonlinear"):
        solve_with_surrogate(model, prediction)
    assert prediction.wiring.inserted[0].block.active


def test_what_is_not_linear_is_refused_in_gurobipy() -> None:
    gurobipy = pytest.importorskip("gurobipy")
    model = gurobipy.Model(env=gurobipy.Env(params={"OutputFlag": 0}))
    x = model.addVar(lb=-1.0, ub=1.0)
    prediction = add_predictor_constr(model, ABSOLUTE, [x], formulation="sos1")
    model.setObjective(x * x)
    with pytest.raises(InputError, match="quadratic objective"):
        solve_with_surrogate(model, prediction)
    model.setObjective(1.0 * x)
    model.addSOS(gurobipy.GRB.SOS_TYPE1, [x, prediction.output[0].item()])
    with pytest.raises(InputError, match="SOS sets of its own"):
        solve_with_surrogate(model, prediction)


def test_what_is_not_linear_is_refused_in_pyscipopt() -> None:
    pyscipopt = pytest.importorskip("pyscipopt")
    model = pyscipopt.Model()
    model.hideOutput()
    x = model.addVar(lb=-1.0, ub=1.0)
    prediction = add_predictor_constr(model, ABSOLUTE, [x], formulation="indicator")
    model.setObjective(1.0 * x)
    model.addCons(x * x <= 0.5)
    with pytest.raises(InputError, match="of kind nonlinear"):
        solve_with_surrogate(model, prediction)


@pytest.mark.parametrize("formulation", ["sos1", "indicator"])
def test_other_formulations_in_the_users_model(formulation) -> None:
    pyscipopt = pytest.importorskip("pyscipopt")
    model = pyscipopt.Model()
    model.hideOutput()
    x = model.addVar(vtype="I", lb=-3.0, ub=2.0)
    prediction = add_predictor_constr(model, ABSOLUTE, [x], formulation=formulation)
    model.setObjective(prediction.output[0] - 0.5 * x, "maximize")
    solution = solve_with_surrogate(model, prediction, surrogate="magnitude:0.5", time_limit=60.0)
    assert (solution.objective, solution.value(x)) == (4.5, -3.0)
    assert prediction.output_values.tolist() == [3.0]
