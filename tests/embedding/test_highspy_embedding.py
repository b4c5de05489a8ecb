import subprocess
import sys
from pathlib import Path

import highspy
import numpy as np
import pytest
from activation_patterns import largest_slack, random_perceptron

from netopt.embedding import add_predictor_constr
from netopt.errors import InputError
from netopt.network.build import from_weights
from netopt.specification.property import Conjunction

ABSOLUTE = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
DIGITS = Path(__file__).parents[2] / "instances" / "networks" / "digits-2x10.onnx"


@pytest.fixture
def model() -> highspy.Highs:
    model = highspy.Highs()
    model.silent()
    return model


@pytest.mark.parametrize("level", ["lp", "milp"])
def test_levels_that_need_a_solver(model, level) -> None:
    perceptron = random_perceptron(np.random.default_rng(5), [3, 4, 3, 2])
    x = model.addVariables(3, lb=-1.0, ub=1.0)
    prediction = add_predictor_constr(model, perceptron.network, x, bounds=level)
    model.maximize(prediction.output[0] - prediction.output[1])
    conjunction = Conjunction(np.array([[-1.0, 1.0]]), np.zeros(1))
    expected = largest_slack(perceptron, conjunction, np.ones(1), -np.ones(3), np.ones(3))
    assert model.getInfo().objective_function_value == pytest.approx(expected, abs=1e-4)
    assert prediction.fragments[0].bounds.level == level


def test_removal_keeps_the_users_handles(model) -> None:
    x = model.addVariable(lb=-2.0, ub=1.0)
    prediction = add_predictor_constr(model, ABSOLUTE, [x])
    later = model.addVariable(lb=0.0, ub=5.0)
    row = model.addConstr(later + x <= 3.0)
    prediction.remove()
    model.maximize(later + 0.0 * x)
    assert model.val(later) == pytest.approx(5.0)
    assert model.getInfo().objective_function_value == pytest.approx(5.0)
    _, lower, upper, _ = model.getRow(row.index)
    assert (lower, upper) == (-np.inf, 3.0)


def test_written_models_have_readable_names(model, tmp_path) -> None:
    x = model.addVariables(2, lb=-1.0, ub=1.0)
    rows = [[x[0]], [x[1]]]
    add_predictor_constr(model, ABSOLUTE, rows, name="load")
    model.writeModel(str(tmp_path / "model.lp"))
    text = (tmp_path / "model.lp").read_text()
    for name in ("load.row0.layer1.relu.z.1", "load.row1.y.0", "load.row1.layer1.relu.affine.0", "load.row0.output.0"):
        assert name in text


def test_the_error_shows_that_a_bound_was_widened_after_the_fact(model) -> None:
    x = model.addVariable(lb=0.0, ub=1.0)
    prediction = add_predictor_constr(model, from_weights([[[-1.0]], [[1.0]]], [[-0.5], [0.0]]), [x])  # 0 on [0, 1]
    model.minimize(1.0 * x)
    assert prediction.get_error() == pytest.approx([0.0], abs=1e-6)
    model.changeColBounds(x.index, -3.0, 1.0)
    model.minimize(1.0 * x)
    assert prediction.get_error() == pytest.approx([2.5], abs=1e-6)


def test_a_file_of_a_trained_classifier(model) -> None:
    x = model.addVariables(64, lb=0.0, ub=1.0)
    prediction = add_predictor_constr(model, DIGITS, x)
    model.setOptionValue("time_limit", 20.0)
    model.maximize(prediction.output[3] - prediction.output[8])
    assert prediction.get_error().max() < 1e-4
    values = prediction.network.forward(prediction.input_values)
    assert values[3] > values[8]


def test_a_constraint_is_not_an_entry(model) -> None:
    x = model.addVariable(lb=0.0, ub=1.0)
    with pytest.raises(InputError, match="is a constraint"):
        add_predictor_constr(model, ABSOLUTE, [x <= 0.5])


def test_a_stranger_is_refused() -> None:
    with pytest.raises(InputError, match=r"builtins\.dict; pass a Pyomo model"):
        add_predictor_constr({}, ABSOLUTE, [0.0])


def test_no_other_library_is_imported() -> None:
    program = """
import sys, highspy
from netopt.embedding import add_predictor_constr
from netopt.network.build import from_weights
model = highspy.Highs()
model.silent()
add_predictor_constr(model, from_weights([[[1.0]]], [[0.0]]), [model.addVariable(lb=0.0, ub=1.0)])
loaded = {"gurobipy", "pyomo", "pyscipopt", "torch", "sklearn", "onnx", "onnxruntime", "pandas"} & set(sys.modules)
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", program], check=True)
