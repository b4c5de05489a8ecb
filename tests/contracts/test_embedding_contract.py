"""What an embedded network must do, whatever the library the user's model is written with."""

from __future__ import annotations

import io

import numpy as np
import pytest
from activation_patterns import Perceptron, largest_slack
from embedded_networks import ABSOLUTE, perceptron_of
from scipy.spatial import ConvexHull

from formulations.registry import FORMULATIONS
from netopt.bounds.interval import interval_bounds
from netopt.embedding import DataBox, DataHull, add_argmax_constr, add_predictor_constr
from netopt.errors import InputError, UnsupportedModelError
from netopt.specification.box import Box
from netopt.specification.property import Conjunction

EXACT = sorted(name for name, form in FORMULATIONS.items() if form.exact)
ANSWERS: dict[str, float] = {}


def maximum(perceptron: Perceptron, weights, lower, upper, **keywords) -> float:
    """Return max of weights @ y over a box, by one LP for each activation pattern; libraries share the answers."""
    arguments = (perceptron.weights, perceptron.biases, weights, lower, upper, sorted(keywords.items()))
    question = repr([np.asarray(part).tolist() if k in (2, 3, 4) else part for k, part in enumerate(arguments)])
    if question not in ANSWERS:
        conjunction = Conjunction(-np.asarray(weights, dtype=float)[None], np.zeros(1))
        box = np.asarray(lower, dtype=float), np.asarray(upper, dtype=float)
        ANSWERS[question] = largest_slack(perceptron, conjunction, np.ones(1), *box, **keywords)
    return ANSWERS[question]


def check(prediction, tolerance: float = 1e-4) -> None:
    assert prediction.get_error().max() <= tolerance


@pytest.mark.parametrize("formulation", EXACT)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_optimum_is_that_of_all_activation_patterns(library, formulation, seed) -> None:
    perceptron = perceptron_of(seed)
    lower, upper, weights = [-1.0, 0.0, -2.0], [1.0, 2.0, -1.0], [1.0, -0.5]
    x = library.variables(lower, upper)
    if formulation in library.refused:
        with pytest.raises(UnsupportedModelError, match=r"which formulation .* needs; take one of big-m"):
            add_predictor_constr(library.model, perceptron.network, x, formulation=formulation)
        return
    prediction = add_predictor_constr(library.model, perceptron.network, x, formulation=formulation)
    best = library.maximize(weights[0] * prediction.output[0] + weights[1] * prediction.output[1])
    assert best == pytest.approx(maximum(perceptron, weights, lower, upper), abs=1e-4)
    check(prediction)
    assert perceptron.network.forward(prediction.input_values) @ weights == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize("level", ["interval", "crown", "given"])
def test_every_bound_level_gives_the_same_optimum(library, level) -> None:
    perceptron = perceptron_of(5)
    lower, upper = [-1.0] * 3, [1.0] * 3
    x, y = library.variables(lower, upper), library.variables([-100.0] * 2, [100.0] * 2)
    bounds = interval_bounds(perceptron.network, Box(np.array(lower), np.array(upper))) if level == "given" else level
    prediction = add_predictor_constr(library.model, perceptron.network, x, y, bounds=bounds)
    assert prediction.output is y
    assert library.maximize(y[0] - y[1]) == pytest.approx(maximum(perceptron, [1.0, -1.0], lower, upper), abs=1e-4)
    check(prediction)


def test_rows_are_copies_with_their_own_bounds(library) -> None:
    perceptron = perceptron_of(3)
    lower = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    upper = lower + np.array([[1.0], [2.0], [1.0]])
    x = [library.variables(low, high) for low, high in zip(lower, upper, strict=True)]
    prediction = add_predictor_constr(library.model, perceptron.network, x)
    library.constrain(x[0][0] - x[2][0], -0.25)  # the copies are free of each other
    total = library.maximize(sum(prediction.output[k, 0] for k in range(3)))
    separate = maximum(perceptron, [1.0, 0.0], lower[1], upper[1])
    pair = total - separate
    assert pair <= 2 * maximum(perceptron, [1.0, 0.0], lower[0], upper[0]) + 1e-5
    assert prediction.output_values.shape == prediction.get_error().shape == (3, 2)
    assert prediction.output_values[1, 0] == pytest.approx(separate, abs=1e-4)
    assert prediction.input_values[0, 0] <= prediction.input_values[2, 0] - 0.25 + 1e-5
    assert prediction.fragments[0] is prediction.fragments[2]
    assert prediction.fragments[0] is not prediction.fragments[1]
    check(prediction)


def test_rows_with_outputs_of_the_user(library) -> None:
    x = [library.variables([-2.0], [1.0]), library.variables([-1.0], [3.0])]
    y = library.variables([0.0, 0.0], [10.0, 10.0])
    prediction = add_predictor_constr(library.model, ABSOLUTE, x, y)
    assert library.maximize(y[0] + y[1]) == pytest.approx(5.0)
    assert prediction.output_values == pytest.approx(np.array([[2.0], [3.0]]))


def test_constants_expressions_and_repeated_variables_among_the_inputs(library) -> None:
    perceptron = perceptron_of(7, (5, 4, 3, 1))
    a, b = library.variables([-1.0, 0.0], [1.0, 2.0])
    prediction = add_predictor_constr(library.model, perceptron.network, [a, 0.5, 2.0 * a - 1.0, a + b, b])
    # the same function of (a, b), by hand
    first = perceptron.weights[0]
    into = np.array([[1.0, 0.0], [0.0, 0.0], [2.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    shift = np.array([0.0, 0.5, -1.0, 0.0, 0.0])
    same = Perceptron(
        [first @ into, *perceptron.weights[1:]], [perceptron.biases[0] + first @ shift, *perceptron.biases[1:]]
    )
    best = library.maximize(prediction.output[0])
    assert best == pytest.approx(maximum(same, [1.0], [-1.0, 0.0], [1.0, 2.0]), abs=1e-4)
    assert prediction.input_values[1] == 0.5
    assert prediction.input_values[3] == pytest.approx(library.value(a) + library.value(b))
    check(prediction)


def test_a_row_of_constants_is_the_networks_answer(library) -> None:
    network = perceptron_of(4).network
    free = library.variable(0.0, 1.0)
    point = [0.25, -1.0, 2.0]
    prediction = add_predictor_constr(library.model, network, point)
    library.maximize(free)
    assert prediction.output_values == pytest.approx(network.forward(point), abs=1e-6)


def test_scalings_are_folded_in_and_bounds_hold_in_the_networks_units(library) -> None:
    perceptron = perceptron_of(9)
    offset, factor = np.array([100.0, -5.0, 0.0]), np.array([50.0, -2.0, 0.5])
    lower, upper = np.array([50.0, -9.0, -0.5]), np.array([150.0, -1.0, 0.5])
    x = library.variables(lower, upper)
    prediction = add_predictor_constr(
        library.model, perceptron.network, x, input_scaling=(offset, factor), output_scaling=(3.0, [-10.0, 4.0])
    )
    best = library.maximize(prediction.output[0])
    corners = np.sort(np.stack([(lower - offset) / factor, (upper - offset) / factor]), axis=0)
    expected = 3.0 + 10.0 * maximum(perceptron, [-1.0, 0.0], corners[0], corners[1])
    assert best == pytest.approx(expected, abs=1e-4)
    scaled = perceptron.network.forward((prediction.input_values - offset) / factor)
    assert prediction.output_values == pytest.approx(3.0 + scaled * [-10.0, 4.0], abs=1e-4)
    check(prediction, 1e-4)


def test_outputs_may_be_expressions(library) -> None:
    x, v = library.variable(-2.0, 1.0), library.variable(-10.0, 10.0)
    prediction = add_predictor_constr(library.model, ABSOLUTE, [x], [2.0 * v + 1.0])
    assert library.maximize(v) == pytest.approx(0.5)
    assert prediction.output_values.tolist() == pytest.approx([2.0])


def test_networks_follow_each_other(library) -> None:
    first, second = perceptron_of(10, (2, 3, 2)), perceptron_of(11, (2, 3, 1))
    x = library.variables([-1.0, -1.0], [1.0, 1.0])
    inner = add_predictor_constr(library.model, first.network, x, name="inner")
    outer = add_predictor_constr(library.model, second.network, inner.output, name="outer")
    best = library.maximize(outer.output[0])
    grid = np.stack(np.meshgrid(*[np.linspace(-1.0, 1.0, 201)] * 2), axis=-1).reshape(-1, 2)
    sampled = second.network.forward(first.network.forward(grid)).max()
    assert sampled - 1e-6 <= best
    through = second.network.forward(first.network.forward(inner.input_values))
    assert best == pytest.approx(through[0], abs=1e-4)
    check(inner)
    check(outer)


def test_removal_restores_the_old_optimum_and_the_network_can_come_back(library) -> None:
    x, t = library.variable(-2.0, 1.0), library.variable(None, 7.0)
    prediction = add_predictor_constr(library.model, ABSOLUTE, [x], [t])
    assert library.maximize(t) == pytest.approx(2.0)
    library.reopen()
    other = add_predictor_constr(library.model, ABSOLUTE, [0.5 * x])
    library.constrain(x, 0.75)
    prediction.remove()
    assert library.maximize(t) == pytest.approx(7.0)
    library.reopen()
    assert library.maximize(x) == pytest.approx(0.75)  # what was written after the network stands
    check(other)
    library.reopen()
    other.remove()
    again = add_predictor_constr(library.model, ABSOLUTE, [x], [t])
    assert library.maximize(t) == pytest.approx(2.0)
    check(again)
    with pytest.raises(InputError, match="was removed"):
        prediction.remove()
    with pytest.raises(InputError, match="was removed"):
        prediction.get_error()


def test_integer_decisions_and_rows_around_the_network(library) -> None:
    perceptron = perceptron_of(12)
    lower, upper = [-3.0, -2.0, -1.0], [3.0, 2.0, 1.0]
    x = [library.variable(-3, 3, integer=True), library.variable(-2, 2, integer=True), library.variable(-1.0, 1.0)]
    library.constrain(x[0] + x[1] + x[2], 1.5)
    prediction = add_predictor_constr(library.model, perceptron.network, x)
    best = library.maximize(prediction.output[0])
    rows = (np.ones((1, 3)), np.array([1.5]))
    integral = np.array([True, True, False])
    assert best == pytest.approx(maximum(perceptron, [1.0, 0.0], lower, upper, rows=rows, integral=integral), abs=1e-4)
    check(prediction)


def test_trust_in_a_box_around_data(library) -> None:
    perceptron = perceptron_of(13)
    data = np.random.default_rng(0).uniform(-1.0, 1.0, size=(20, 3))
    x = library.variables([None] * 3, [None, None, 0.25])
    prediction = add_predictor_constr(library.model, perceptron.network, x, trust_region=DataBox(data, margin=0.1))
    side = np.ptp(data, axis=0)
    lower, upper = data.min(axis=0) - 0.1 * side, data.max(axis=0) + 0.1 * side
    upper[2] = 0.25
    assert library.maximize(prediction.output[0]) == pytest.approx(
        maximum(perceptron, [1.0, 0.0], lower, upper), abs=1e-4
    )
    check(prediction)


def test_trust_in_the_hull_of_data(library) -> None:
    perceptron = perceptron_of(14, (2, 4, 3, 1))
    data = np.random.default_rng(1).normal(size=(12, 2))
    x = library.variables([-5.0] * 2, [5.0] * 2)
    prediction = add_predictor_constr(library.model, perceptron.network, x, trust_region=DataHull(data))
    hull = ConvexHull(data)
    rows = (hull.equations[:, :-1], -hull.equations[:, -1])
    assert library.maximize(prediction.output[0]) == pytest.approx(
        maximum(perceptron, [1.0], [-5.0] * 2, [5.0] * 2, rows=rows), abs=1e-4
    )
    check(prediction)


def test_the_given_class_wins_by_the_margin(library) -> None:
    network = perceptron_of(20, (2, 4, 3)).network
    x = library.variables([-1.0] * 2, [1.0] * 2)
    prediction = add_predictor_constr(library.model, network, x)
    grid = np.stack(np.meshgrid(*[np.linspace(-1.0, 1.0, 201)] * 2), axis=-1).reshape(-1, 2)
    logits = network.forward(grid)
    k = int(np.bincount(logits.argmax(axis=1), minlength=3).argmax())
    others = np.delete(logits, k, axis=1).max(axis=1)
    inside = logits[:, k] >= others + 0.1
    constraint = add_argmax_constr(prediction, k, margin=0.1)
    assert constraint.winner is None
    best = library.maximize(x[0] + 0.5 * x[1])
    assert best >= (grid[inside] @ [1.0, 0.5]).max() - 1e-6
    value = network.forward(prediction.input_values)
    assert value[k] >= np.delete(value, k).max() + 0.1 - 1e-5
    library.reopen()
    constraint.remove()
    assert library.maximize(x[0] + 0.5 * x[1]) == pytest.approx(1.5)
    with pytest.raises(InputError, match="removed"):
        constraint.remove()


def test_a_free_winner_is_what_the_network_decides(library) -> None:
    network = perceptron_of(20, (2, 4, 3)).network
    x = [library.variables([-1.0] * 2, [1.0] * 2) for _ in range(2)]
    prediction = add_predictor_constr(library.model, network, x)
    winner = add_argmax_constr(prediction, margin=0.01).winner
    grid = np.stack(np.meshgrid(*[np.linspace(-1.0, 1.0, 201)] * 2), axis=-1).reshape(-1, 2)
    seen = np.unique(network.forward(grid).argmax(axis=1))
    prizes = np.array([1.0, 2.0, 4.0])
    best = library.maximize(sum(prizes[k] * winner[0, k] - prizes[k] * winner[1, k] for k in range(3)))
    assert best == pytest.approx(prizes[seen].max() - prizes[seen].min())
    decided = network.forward(prediction.input_values).argmax(axis=1)
    assert [library.value(winner[row, decided[row]]) for row in range(2)] == pytest.approx([1.0, 1.0])


def test_missing_bounds_are_an_error_with_a_remedy_that_works(library) -> None:
    x = library.variables([None, 0.0], [1.0, None])
    network = perceptron_of(2, (2, 3, 1)).network
    with pytest.raises(InputError, match=r"x\[0, 0\] has the range \[-inf, 1\].*input_bounds"):
        add_predictor_constr(library.model, network, x)
    prediction = add_predictor_constr(library.model, network, x, input_bounds=(-1.0, [2.0, 3.0]))
    expected = maximum(perceptron_of(2, (2, 3, 1)), [1.0], [-1.0, 0.0], [1.0, 3.0])
    assert library.maximize(prediction.output[0]) == pytest.approx(expected, abs=1e-4)
    library.reopen()
    assert library.maximize(x[1]) == pytest.approx(3.0)  # input_bounds are rows of the model, too


def test_statistics_say_what_was_written(library) -> None:
    text = io.StringIO()
    prediction = add_predictor_constr(library.model, ABSOLUTE, [library.variable(-1.0, 2.0)], bounds="interval")
    prediction.print_stats(text)
    lines = text.getvalue().splitlines()
    assert lines[0] == "network1: 1 inputs, 1 outputs, 2 ReLUs, 1 row(s) of x"
    assert lines[1] == "formulation big-m, bounds interval"
    assert lines[3].split() == ["layer1.relu", "2", "0", "0", "2", "2"]
    assert lines[4].startswith("new columns 7, rows 7")
