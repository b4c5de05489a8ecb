"""Models with networks and integer decisions, solved by way of sparse networks, against brute force and vendors."""

from functools import partial
from itertools import product

import numpy as np
import pytest
from activation_patterns import random_perceptron
from modelling_libraries import LIBRARIES, Library

from netopt.embedding import DataHull, add_argmax_constr, add_predictor_constr, solve_with_surrogate
from netopt.errors import InputError, InvalidOptionError
from netopt.network.build import from_weights
from netopt.network.network import Network
from netopt.solvers.child import ChildSolver
from netopt.solvers.highs import Highs

ABSOLUTE = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
ALL = np.array(list(product([0.0, 1.0], repeat=7)))
LIMIT = 60.0


@pytest.fixture(params=sorted(LIBRARIES))
def library(request: pytest.FixtureRequest) -> Library:
    return LIBRARIES[request.param]()


@pytest.fixture(scope="module")
def solve():
    """`solve_with_surrogate` with one child process for all tests."""
    with ChildSolver(Highs()) as child:
        yield partial(solve_with_surrogate, solver=child)


def network_of(seed: int, sizes: tuple[int, ...]) -> Network:
    return random_perceptron(np.random.default_rng(seed), list(sizes)).network


def most(library: Library, x, count: int) -> None:
    library.constrain(sum(x[1:], start=1.0 * x[0]), float(count))


@pytest.mark.parametrize(("seed", "maximize"), [(0, True), (1, False)])
def test_no_choice_is_better(library, solve, seed, maximize) -> None:
    network = network_of(seed, (7, 8, 6, 1))
    x = library.variables([0.0] * 7, [1.0] * 7, integer=True)
    most(library, x, 3)
    prediction = add_predictor_constr(library.model, network, x)
    library.aim(2.0 * prediction.output[0] - 0.5 * x[0] + 1.0, maximize)
    solution = solve(library.model, prediction, time_limit=LIMIT)
    allowed = ALL[ALL.sum(axis=1) <= 3]
    worth = 2.0 * network.forward(allowed)[:, 0] - 0.5 * allowed[:, 0] + 1.0
    best = worth.max() if maximize else worth.min()
    assert solution.status.value == "optimal"
    assert solution.objective == pytest.approx(best, abs=1e-9)
    assert solution.dual_bound == pytest.approx(best, abs=1e-3)
    chosen = np.array([solution.value(v) for v in x])
    assert chosen.tolist() in allowed[np.isclose(worth, best)].tolist()
    assert solution.value(2.0 * x[0] + 1.0) == pytest.approx(2.0 * chosen[0] + 1.0)
    objectives = [incumbent.objective for incumbent in solution.incumbents]
    assert objectives == sorted(objectives, reverse=not maximize)
    check_loaded(library, prediction, chosen, network)


def check_loaded(library, prediction, chosen, network) -> None:
    """The model holds the solution, or starts its next solve from it, and its optimum is the same."""
    if type(library).__name__ == "GurobipyLibrary":
        library.model.update()
        assert [v.Start for v in prediction.input] == chosen.tolist()
        library.model.setParam("SolutionLimit", 1)
        library.model.optimize()
    np.testing.assert_allclose(prediction.input_values, chosen, atol=1e-6)
    np.testing.assert_allclose(prediction.output_values, network.forward(chosen), atol=1e-6)
    assert prediction.get_error().max() <= 1e-6


def test_mixed_decisions_match_the_vendors_own_solve(library, solve) -> None:
    network = network_of(5, (4, 6, 5, 2))
    x = library.variables([0.0, 0.0], [3.0, 1.0], integer=True)
    u = library.variables([-1.0, 0.0], [1.0, 2.0])
    profit = library.variable(None, 50.0)  # defined by no equation: left to a linear program
    prediction = add_predictor_constr(library.model, network, [x[0], u[0], x[1], u[1]])
    library.constrain(u[0] + u[1] + 0.5 * x[0], 1.5)
    library.constrain(u[1] - 2.0 * x[1], 0.0)
    library.constrain(profit - prediction.output[0] + 0.3 * x[0], 0.0)
    library.constrain(prediction.output[1], 1.0)
    library.aim(profit - 0.1 * u[1])
    solution = solve(library.model, prediction, surrogate=("magnitude:0.7", "random:0.5"))
    assert solution.status.value == "optimal"
    point = [solution.value(v) for v in (x[0], u[0], x[1], u[1])]
    answer = network.forward(point)
    assert answer[1] <= 1.0 + 1e-5
    assert solution.value(profit) <= answer[0] - 0.3 * point[0] + 1e-5
    library.reopen()
    assert solution.objective == pytest.approx(library.maximize(profit - 0.1 * u[1]), abs=1e-3)


def test_what_dense_outputs_forbid_is_repaired_or_rejected(library, solve) -> None:
    """The best sparse choices break a limit on the dense output; most starts do, too."""
    network = network_of(3, (7, 8, 6, 2))
    answers = network.forward(ALL)
    limit = np.quantile(answers[:, 1], 0.1)
    x = library.variables([0.0] * 7, [1.0] * 7, integer=True)
    prediction = add_predictor_constr(library.model, network, x)
    library.constrain(prediction.output[1], float(limit))
    library.aim(prediction.output[0])
    solution = solve(library.model, prediction, surrogate="magnitude:0.9", time_limit=LIMIT)
    allowed = answers[:, 1] <= limit + 1e-7
    assert solution.objective == pytest.approx(answers[allowed, 0].max(), abs=1e-6)
    assert solution.status.value == "optimal"


def test_a_model_without_a_point_is_infeasible(library, solve) -> None:
    network = network_of(4, (7, 5, 1))
    x = library.variables([0.0] * 7, [1.0] * 7, integer=True)
    prediction = add_predictor_constr(library.model, network, x)
    library.constrain(prediction.output[0], float(network.forward(ALL).min()) - 0.01)
    library.aim(x[0])
    solution = solve(library.model, prediction, time_limit=LIMIT)
    assert solution.status.value == "infeasible"
    assert solution.objective is None
    assert solution.values is None
    with pytest.raises(InputError, match="no solution is known"):
        solution.value(x[0])


def test_networks_that_follow_each_other_and_classes(library, solve) -> None:
    first, second = network_of(10, (4, 5, 2)), network_of(11, (3, 4, 2))
    x = library.variables([0.0] * 4, [1.0] * 4, integer=True)
    inner = add_predictor_constr(library.model, first, x)
    outer = add_predictor_constr(library.model, second, [inner.output[0], inner.output[1] - x[0], x[3]])
    points = np.array(list(product([0.0, 1.0], repeat=4)))
    between = first.forward(points)
    after = second.forward(np.column_stack([between[:, 0], between[:, 1] - points[:, 0], points[:, 3]]))
    wins = after[:, 0] >= after[:, 1]
    winner = int(wins.sum() <= 8)  # the rarer class
    add_argmax_constr(outer, winner, margin=1e-3)
    library.aim(outer.output[0] + outer.output[1])
    solution = solve(library.model, [inner, outer], time_limit=LIMIT)
    good = after[:, winner] >= after[:, 1 - winner] + 1e-3
    assert solution.objective == pytest.approx(after[good].sum(axis=1).max(), abs=1e-6)


def test_a_surrogate_in_the_model_is_not_what_the_answer_is_about(library, solve) -> None:
    network = network_of(6, (7, 8, 6, 1))
    x = library.variables([0.0] * 7, [1.0] * 7, integer=True)
    most(library, x, 4)
    prediction = add_predictor_constr(library.model, network, x, surrogate="magnitude:0.8")
    library.aim(prediction.output[0])
    allowed = ALL[ALL.sum(axis=1) <= 4]
    best = network.forward(allowed).max()
    solution = solve(library.model, prediction, time_limit=LIMIT)
    assert solution.objective == pytest.approx(best, abs=1e-9)
    library.reopen()
    held = library.maximize(prediction.output[0])
    assert prediction.get_error("surrogate").max() <= 1e-5
    true = network.forward(prediction.input_values)[0]
    assert prediction.get_error()[0] == pytest.approx(abs(held - true), abs=1e-5)
    assert true <= best + 1e-9


def test_trust_regions_and_rows_of_inputs(library, solve) -> None:
    runs = np.random.default_rng(2).uniform(size=(6, 2))
    x = [library.variables([0.0, 0.0], [1.0, 1.0]) for _ in range(2)]
    network = network_of(8, (2, 5, 1))
    choice = library.variable(0.0, 1.0, integer=True)
    prediction = add_predictor_constr(library.model, network, x, trust_region=DataHull(runs))
    library.constrain(x[0][0] - x[1][0] - choice, -0.2)
    library.constrain(prediction.output[0, 0] - 2.0 * choice, 5.0)
    goal = prediction.output[0, 0] + prediction.output[1, 0] - 0.2 * choice
    library.aim(goal)
    solution = solve(library.model, prediction, time_limit=LIMIT)
    library.reopen()
    assert solution.objective == pytest.approx(library.maximize(goal), abs=1e-3)


def test_a_time_limit_ends_the_work_with_a_true_solution(library) -> None:
    network = network_of(7, (40, 40, 40, 40, 1))
    x = library.variables([0.0] * 40, [1.0] * 40, integer=True)
    most(library, x, 8)
    prediction = add_predictor_constr(library.model, network, x)
    library.aim(prediction.output[0])
    solution = solve_with_surrogate(library.model, prediction, time_limit=1.5)
    assert solution.status.value == "timeout"
    chosen = np.array([solution.value(v) for v in x])
    assert chosen.sum() <= 8
    assert set(chosen) <= {0.0, 1.0}
    assert solution.objective == pytest.approx(network.forward(chosen)[0], abs=1e-9)
    assert solution.dual_bound is None or solution.dual_bound >= solution.objective - 1e-6


def test_numbers_beyond_a_solver_s_tolerances_prove_nothing(solve) -> None:
    # relu(relu(x) + relu(-x - 1e10 + 1)): the dense model was called solved, though what it rounds is as large as 1.
    network = from_weights([[[1.0], [-1.0]], [[0.0, 1.0]], [[1.0]]], [[0.0, 1.0 - 1e10], [0.0], [0.0]])
    library = LIBRARIES["highspy"]()
    x = library.variable(-1e10, 1e10)
    prediction = add_predictor_constr(library.model, network, [x])
    library.aim(prediction.output[0])

    solution = solve(library.model, prediction, surrogate="magnitude:0.5", time_limit=LIMIT)

    assert solution.dual_bound is None
    assert solution.status.value in ("feasible", "timeout")
    assert solution.status.value == "timeout" or "too large for its tolerances" in solution.notices[0]


def test_bad_input_is_refused_in_a_sentence(library) -> None:
    x = library.variable(-1.0, 1.0)
    prediction = add_predictor_constr(library.model, ABSOLUTE, [x])
    library.aim(1.0 * x)

    def solve(given=prediction, **keywords):
        return solve_with_surrogate(library.model, given, **keywords)

    for keywords, words in [
        ({"surrogate": "magnitude:1.0"}, "not in"),
        ({"surrogate": "guesswork:0.5"}, "guesswork"),
        ({"surrogate": "magnitude"}, "names no rate"),
        ({"surrogate": []}, "surrogate is empty"),
        ({"time_limit": -1.0}, "time_limit is -1"),
        ({"relative_gap": np.inf}, "relative_gap is inf"),
        ({"solver": "abacus"}, "no solver 'abacus'"),
    ]:
        with pytest.raises(InvalidOptionError, match=words):
            solve(**keywords)
    with pytest.raises(InvalidOptionError, match="guesswork"):
        add_predictor_constr(library.model, ABSOLUTE, [x], surrogate="guesswork:0.5")
    for given, words in [
        ([], "no network was given"),
        (["yield"], "a str was given"),
        ([prediction] * 2, "given twice"),
    ]:
        with pytest.raises(InputError, match=words):
            solve(given)
    other = type(library)()
    other_prediction = add_predictor_constr(other.model, ABSOLUTE, [other.variables([0.0] * 3, [1.0] * 3)[2]])
    with pytest.raises(InputError, match="not in the model"):
        solve(other_prediction)
    prediction.remove()
    with pytest.raises(InputError, match="was removed"):
        solve()
