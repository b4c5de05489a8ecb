import numpy as np
import pytest

from netopt.embedding import add_predictor_constr
from netopt.network.build import from_weights

gurobipy = pytest.importorskip("gurobipy")

ABSOLUTE = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])


@pytest.fixture
def model():
    return gurobipy.Model(env=gurobipy.Env(params={"OutputFlag": 0}))


def test_matrix_variables_and_expressions(model) -> None:
    x = model.addMVar((3, 1), lb=-1.0, ub=[[0.5], [1.0], [2.0]])
    prediction = add_predictor_constr(model, ABSOLUTE, 2.0 * x + 1.0)
    model.setObjective(prediction.output.sum(), gurobipy.GRB.MAXIMIZE)
    model.optimize()
    np.testing.assert_allclose(prediction.output_values, [[2.0], [3.0], [5.0]])
    assert prediction.output.shape == (3, 1)


def test_pending_variables_are_read(model) -> None:
    x = model.addVar(lb=-3.0, ub=1.0)
    y = model.addMVar(1, lb=-10.0, obj=-1.0)
    add_predictor_constr(model, ABSOLUTE, x, y)
    model.optimize()
    assert model.ObjVal == pytest.approx(-3.0)


def test_unbounded_stays_unbounded_in_gurobis_infinity(model) -> None:
    with pytest.raises(ValueError, match="inf"):
        add_predictor_constr(model, ABSOLUTE, model.addVar(lb=-gurobipy.GRB.INFINITY))


@pytest.mark.parametrize("formulation", ["big-m", "sos1", "indicator", "partition:2"])
def test_removal_leaves_nothing_behind(model, formulation) -> None:
    x = model.addMVar(2, lb=-1.0, ub=1.0)
    rows = [[x[0].item()], [x[1].item()]]
    prediction = add_predictor_constr(model, ABSOLUTE, rows, formulation=formulation, input_bounds=(-0.5, 0.75))
    prediction.remove()
    assert (model.NumVars, model.NumConstrs, model.NumSOS, model.NumGenConstrs) == (2, 0, 0, 0)
