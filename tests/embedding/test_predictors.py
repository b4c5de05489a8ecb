"""Trained objects of other libraries as predictors, and what they answer."""

import highspy
import numpy as np
import pytest

from netopt.embedding import add_argmax_constr, add_predictor_constr


@pytest.fixture
def model() -> highspy.Highs:
    model = highspy.Highs()
    model.silent()
    return model


def test_a_scikit_learn_regressor_with_its_scalers(model) -> None:
    pytest.importorskip("sklearn")
    from sklearn.neural_network import MLPRegressor
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    generator = np.random.default_rng(0)
    data = generator.uniform([0.0, 100.0], [1.0, 500.0], size=(200, 2))
    target = 1000.0 * np.abs(data[:, :1] - 0.5) + data[:, 1:]
    before, after = StandardScaler().fit(data), MinMaxScaler().fit(target)
    regressor = MLPRegressor(hidden_layer_sizes=(8, 8), random_state=0, max_iter=3000)
    regressor.fit(before.transform(data), after.transform(target).ravel())
    x = [model.addVariable(lb=0.0, ub=1.0), model.addVariable(lb=100.0, ub=500.0)]
    prediction = add_predictor_constr(model, regressor, x, input_scaling=before, output_scaling=after)
    model.minimize(prediction.output[0])
    predicted = after.inverse_transform(regressor.predict(before.transform(prediction.input_values[None]))[:, None])
    assert prediction.output_values[0] == pytest.approx(predicted[0, 0], abs=1e-3)
    sampled = after.inverse_transform(regressor.predict(before.transform(data))[:, None])
    assert prediction.output_values[0] <= sampled.min() + 1e-6


def test_a_torch_module(model) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(2, 6), torch.nn.ReLU(), torch.nn.Linear(6, 3))
    x = [model.addVariable(lb=-1.0, ub=1.0) for _ in range(2)]
    prediction = add_predictor_constr(model, module, x)
    add_argmax_constr(prediction, 0, margin=0.01)
    model.maximize(x[0] + x[1])
    with torch.no_grad():
        output = module(torch.tensor(prediction.input_values, dtype=torch.float32)).numpy()
    if not model.getSolution().value_valid:
        pytest.fail("no class-0 point was found")
    assert output.argmax() == 0
    np.testing.assert_allclose(output, prediction.output_values, atol=1e-4)
