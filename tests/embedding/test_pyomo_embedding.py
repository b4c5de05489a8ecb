import numpy as np
import pytest

from netopt.embedding import add_predictor_constr
from netopt.errors import InputError
from netopt.network.build import from_weights

pyo = pytest.importorskip("pyomo.environ")

ABSOLUTE = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
GENERATOR = np.random.default_rng(3)
NETWORK = from_weights([GENERATOR.normal(size=(5, 2)), GENERATOR.normal(size=(2, 5))], [np.zeros(5), np.zeros(2)])


def maximize(model, expression) -> float:
    model.del_component("goal")
    model.goal = pyo.Objective(expr=expression, sense=pyo.maximize)
    pyo.assert_optimal_termination(pyo.SolverFactory("appsi_highs").solve(model))
    return pyo.value(model.goal)


def test_indexed_variables_of_rows_inside_a_block() -> None:
    model = pyo.ConcreteModel()
    model.hours = pyo.Set(initialize=["day", "night"])
    model.plant = pyo.Block()
    model.plant.x = pyo.Var(model.hours, [1, 2], bounds=(-1, 1))
    model.plant.y = pyo.Var(model.hours, ["heat", "power"])
    prediction = add_predictor_constr(model.plant, NETWORK, model.plant.x, model.plant.y)
    assert model.plant.component("network1") is not None
    maximize(model, model.plant.y["day", "heat"] - model.plant.y["night", "power"])
    inputs = [[model.plant.x[hour, k].value for k in (1, 2)] for hour in ("day", "night")]
    np.testing.assert_allclose(prediction.input_values, inputs)
    np.testing.assert_allclose(NETWORK.forward(inputs), prediction.output_values, atol=1e-6)
    assert prediction.fragments[0] is prediction.fragments[1]


def test_components_are_named_after_layers() -> None:
    model = pyo.ConcreteModel()
    model.x = pyo.Var(range(2), bounds=(-1, 1))
    add_predictor_constr(model, NETWORK, model.x, name="surrogate")
    block = model.surrogate
    assert {"layer1_relu", "layer1_relu_s", "layer1_relu_z", "y"} <= set(block.component_map(pyo.Var))
    assert all(variable.is_binary() for variable in block.layer1_relu_z.values())
    assert "layer1_relu_affine" in block.component_map(pyo.Constraint)
    with pytest.raises(InputError, match="takes no component"):
        add_predictor_constr(model, NETWORK, model.x, name="load")


def test_fixed_variables_stay_variables() -> None:
    model = pyo.ConcreteModel()
    model.a = pyo.Var(bounds=(-1, 2))
    model.b = pyo.Var(bounds=(0, 1))
    model.a.fix(1.0)
    prediction = add_predictor_constr(model, ABSOLUTE, [model.a - model.b])
    assert model.a.fixed
    assert model.a.value == 1.0
    assert maximize(model, prediction.output[0]) == pytest.approx(1.0)
    model.a.unfix()
    assert maximize(model, prediction.output[0]) == pytest.approx(2.0)
    assert prediction.get_error().max() < 1e-6


def test_parameters_and_named_expressions_are_entries() -> None:
    model = pyo.ConcreteModel()
    model.a = pyo.Var(domain=pyo.Binary)
    model.rate = pyo.Param(initialize=0.5, mutable=True)
    model.shifted = pyo.Expression(expr=model.rate * model.a + 1.0)
    prediction = add_predictor_constr(model, NETWORK, [model.rate, model.shifted])
    maximize(model, model.a)
    assert prediction.input_values.tolist() == [0.5, 1.5]


def test_an_input_the_network_ignores_has_some_value() -> None:
    model = pyo.ConcreteModel()
    model.x = pyo.Var(range(2), bounds=(3, 4))
    prediction = add_predictor_constr(model, from_weights([[[1.0, 0.0]]], [[0.0]]), model.x)
    assert maximize(model, prediction.output[0]) == pytest.approx(4.0)
    assert prediction.input_values.tolist() == pytest.approx([4.0, 3.0])


def test_what_is_no_model_is_refused() -> None:
    abstract = pyo.AbstractModel()
    abstract.x = pyo.Var(range(1), bounds=(0, 1))
    with pytest.raises(InputError, match="create_instance"):
        add_predictor_constr(abstract, ABSOLUTE, [0.0])
    model = pyo.ConcreteModel()
    model.blocks = pyo.Block(range(2))
    with pytest.raises(InputError, match="single block"):
        add_predictor_constr(model.blocks, ABSOLUTE, [0.0])


def test_removal_leaves_nothing_behind() -> None:
    model = pyo.ConcreteModel()
    model.x = pyo.Var(bounds=(-1, 1))
    before = list(model.component_map())
    add_predictor_constr(model, ABSOLUTE, model.x).remove()
    assert list(model.component_map()) == before
