import numpy as np
import pytest

from netopt.embedding import add_predictor_constr
from netopt.errors import InputError
from netopt.network.build import from_weights

pyscipopt = pytest.importorskip("pyscipopt")

ABSOLUTE = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])


@pytest.fixture
def model():
    model = pyscipopt.Model()
    model.hideOutput()
    return model


def test_matrix_variables_and_expressions(model) -> None:
    x = model.addMatrixVar((3, 1), lb=-1.0, ub=np.array([[0.5], [1.0], [2.0]]))
    prediction = add_predictor_constr(model, ABSOLUTE, 2.0 * x + 1.0)
    model.setObjective(prediction.output.sum(), "maximize")
    model.optimize()
    np.testing.assert_allclose(prediction.output_values, [[2.0], [3.0], [5.0]])


def test_a_solved_model_says_what_to_call_first(model) -> None:
    x = model.addVar(lb=-1.0, ub=1.0)
    prediction = add_predictor_constr(model, ABSOLUTE, [x])
    model.optimize()
    for change in (prediction.remove, lambda: add_predictor_constr(model, ABSOLUTE, [x])):
        with pytest.raises(InputError, match="freeTransform"):
            change()
    model.freeTransform()
    prediction.remove()


@pytest.mark.parametrize("formulation", ["big-m", "sos1", "indicator", "partition:2"])
def test_removal_leaves_only_outputs_fixed_at_zero(model, formulation) -> None:
    x = model.addVar(lb=-1.0, ub=1.0)
    y = model.addVar(lb=None)
    created = add_predictor_constr(model, ABSOLUTE, [x], formulation=formulation)
    given = add_predictor_constr(model, ABSOLUTE, [x], [y], formulation=formulation)
    created.remove()
    given.remove()
    assert model.getNConss() == 0
    left = created.output[0]
    assert (left.getLbOriginal(), left.getUbOriginal()) == pytest.approx((0.0, 0.0))
    assert sorted(variable.name for variable in model.getVars()) == sorted([x.name, y.name, left.name])


def test_the_collector_is_left_as_it_was(model) -> None:
    import gc

    x = model.addVar(lb=-1.0, ub=1.0)
    add_predictor_constr(model, ABSOLUTE, [x])
    assert gc.isenabled()
    gc.disable()
    try:
        add_predictor_constr(model, ABSOLUTE, [x])
        assert not gc.isenabled()
    finally:
        gc.enable()
