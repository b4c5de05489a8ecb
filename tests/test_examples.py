"""The worked examples run, and their answers are right."""

import importlib.util
from itertools import product
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from netopt.network.load import load_network
from netopt.pruning.harp.data_file import read_data

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def all_blends(wines: int, barrels: int, most: int) -> np.ndarray:
    """Every way to fill the barrels, (blends, wines)."""
    rows = np.zeros((1, 0), dtype=int)
    for filled in range(1, wines + 1):
        rows = np.concatenate([np.column_stack([rows, np.full(len(rows), k)]) for k in range(most + 1)])
        total = rows.sum(axis=1)
        rows = rows[(total <= barrels) & (total + most * (wines - filled) >= barrels)]
    return rows


def test_no_other_blend_is_cheaper(capsys) -> None:
    pytest.importorskip("pyomo")
    example = load("wine_blend")
    price, barrels = example.blend()
    stock = np.loadtxt(example.MODELS / "wine_stock.csv", delimiter=",", skiprows=1)[:, 1:]
    blends = all_blends(len(stock), example.BARRELS, example.MOST_OF_ONE)
    measured = blends @ stock / example.BARRELS
    logits = load_network(example.MODELS / "wine.onnx").forward(measured)
    good = (measured[:, 0] >= example.LEAST_ALCOHOL) & (logits[:, 0] >= logits[:, 1:].max(axis=1) + example.MARGIN)
    prices = blends @ example.PRICES
    assert price == pytest.approx(prices[good].min())
    assert barrels in blends[good & np.isclose(prices, price)].tolist()
    assert "classifier: 13 inputs" in capsys.readouterr().out


def test_no_plan_made_of_past_runs_is_better() -> None:
    example = load("batch_yield")
    profit, settings = example.plan()
    network = load_network(example.MODELS / "yield.onnx")
    catalyst = settings[:, example.CATALYST]
    assert catalyst.sum() <= example.CATALYST_BUDGET + 1e-6
    assert (np.diff(catalyst) <= -0.1 + 1e-6).all()
    earned = network.forward(settings).sum() - example.HEAT_PRICE * settings[:, 0].sum()
    assert profit == pytest.approx(earned, abs=1e-3)
    runs = np.loadtxt(example.MODELS / "yield_runs.csv", delimiter=",", skiprows=1)
    first, second, third = np.meshgrid(*[np.arange(len(runs))] * 3, indexing="ij")
    used = runs[:, example.CATALYST]
    allowed = used[first] + used[second] + used[third] <= example.CATALYST_BUDGET
    allowed &= (used[first] >= used[second] + 0.1) & (used[second] >= used[third] + 0.1)
    worth = network.forward(runs)[:, 0] - example.HEAT_PRICE * runs[:, 0]
    assert profit >= (worth[first] + worth[second] + worth[third])[allowed].max()


def test_no_grades_on_a_grid_of_temperature_and_feed_are_better() -> None:
    example = load("plot_grades")
    solution, settings = example.plan()
    network = load_network(example.MODELS / "yield.onnx")
    assert solution.status.value == "optimal"
    prices = dict(zip(example.GRADES, example.PRICES, strict=True))
    grades = settings[:, 2].round(9).tolist()
    cost = sum(prices[grade] for grade in grades)
    assert cost <= example.BUDGET + 1e-9
    assert max(grades.count(grade) for grade in prices) <= example.PLOTS // 2
    earned = network.forward(settings).sum() - cost - example.FEED_PRICE * settings[0, 3]
    assert solution.objective == pytest.approx(earned, abs=1e-6)

    choices = [choice for choice in product(example.GRADES, repeat=example.PLOTS) if allowed(example, choice, prices)]
    shared = np.stack(np.meshgrid(np.linspace(0, 1, 41), np.linspace(0, 1, 41)), axis=-1).reshape(-1, 2)
    rows = np.zeros((len(choices), len(shared), example.PLOTS, 5))
    rows[..., 0], rows[..., 3] = shared[None, :, None, 0], shared[None, :, None, 1]
    rows[..., 1], rows[..., 2], rows[..., 4] = example.PRESSURES, np.array(choices)[:, None, :], example.STIRRING
    yields = network.forward(rows.reshape(-1, 5)).reshape(rows.shape[:-1]).sum(axis=-1)
    spent = np.array([sum(prices[grade] for grade in choice) for choice in choices])
    assert solution.objective >= (yields - spent[:, None] - example.FEED_PRICE * shared[:, 1]).max() - 1e-6


def allowed(example: ModuleType, choice: tuple[float, ...], prices: dict[float, float]) -> bool:
    few = all(choice.count(grade) <= example.PLOTS // 2 for grade in prices)
    return few and sum(prices[grade] for grade in choice) <= example.BUDGET + 1e-9


def test_the_digits_are_read_as_training_data(tmp_path) -> None:
    pytest.importorskip("sklearn")
    path = tmp_path / "digits.npz"
    load("digits_data").main(path)
    training, testing = read_data(path, load_network(EXAMPLES.parent / "instances/networks/digits-2x50.onnx"))
    assert training.images.shape == (1400, 64)
    assert set(training.labels.tolist()) == set(range(10))
    assert testing is not None
    assert training.images.max() == 1.0
