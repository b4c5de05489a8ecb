"""Models with decisions around a trained network, all of whose rows but the network's are linear.

``choice`` and ``assortment``: which of n treatments to apply, at most a fifth of them. The network predicts the
response from 4000 noisy trials of a synthetic response: main effects, interactions of pairs and saturation.
``assortment`` also has a budget, groups from which at most two may come, and treatments that need another.

``plant``: which units of a plant to run and how. A third of the n inputs are set-points (temperatures along the line,
neighbours at most 0.3 apart), a third are loads of units, which are 0 where the unit is off and in [0.3, 1] where it is
on, a third say which units are on. Loads and units share two utilities; some units exclude each other; loads and
running units cost. The network predicts the yield from 4000 noisy runs drawn within those ranges.

Networks are trained with torch, seeded.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import highspy
import numpy as np
import torch

from netopt import Network, add_predictor_constr, from_weights
from netopt.embedding import PredictorConstraint

KINDS = ("choice", "assortment", "plant")
SIZES = ("60-40-40-1", "100-100-100-1", "200-200-200-1")
_TRIALS, _EPOCHS, _GROUP = 4000, 60, 5
#: Least load of a running unit, the largest being 1.
_LEAST_LOAD = 0.3


def trials(kind: str, count: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs (trials, count), and the effect that each has before saturation."""
    if kind == "plant":
        inputs = _plant_runs(count, generator)
    else:
        share = generator.uniform(0.02, 0.35, size=(_TRIALS, 1))
        inputs = (generator.uniform(size=(_TRIALS, count)) < share).astype(float)
    pairs = generator.integers(count, size=(4 * count, 2))
    effect = inputs @ generator.normal(size=count)
    effect += (inputs[:, pairs[:, 0]] * inputs[:, pairs[:, 1]]) @ generator.normal(size=4 * count)
    if kind == "plant":  # every set-point has its best value
        points = inputs[:, : _split(count)[0]]
        effect -= ((points - generator.uniform(size=points.shape[1])) ** 2) @ generator.uniform(
            2.0, 8.0, points.shape[1]
        )
    return inputs, effect


def _split(count: int) -> tuple[int, int]:
    """Return the number of set-points and of units of a plant."""
    units = count // 3
    return count - 2 * units, units


def _plant_runs(count: int, generator: np.random.Generator) -> np.ndarray:
    points, units = _split(count)
    walk = generator.uniform(size=(_TRIALS, 1)) + generator.uniform(-0.2, 0.2, size=(_TRIALS, points)).cumsum(axis=1)
    on = (generator.uniform(size=(_TRIALS, units)) < generator.uniform(0.1, 0.7, size=(_TRIALS, 1))).astype(float)
    load = on * generator.uniform(_LEAST_LOAD, 1.0, size=(_TRIALS, units))
    folded = np.abs((walk + 1.0) % 2.0 - 1.0)  # walks reflected at 0 and 1
    return np.concatenate([folded, load, on], axis=1)


def train(kind: str, sizes: list[int], seed: int) -> Network:
    """Return a perceptron trained on synthetic trials."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    generator = np.random.default_rng(seed)
    chosen, effect = trials(kind, sizes[0], generator)
    effect -= effect.mean() if kind == "plant" else 0.0
    response = np.tanh(effect / effect.std()) * 3.0
    response += 0.1 * generator.normal(size=_TRIALS)
    layers: list[torch.nn.Module] = []
    for k, (before, after) in enumerate(pairwise(sizes)):
        layers += ([torch.nn.ReLU()] if k else []) + [torch.nn.Linear(before, after)]
    module = torch.nn.Sequential(*layers)
    x, y = torch.tensor(chosen, dtype=torch.float32), torch.tensor(response, dtype=torch.float32)[:, None]
    optimizer = torch.optim.Adam(module.parameters(), 1e-3)
    for _ in range(_EPOCHS):
        for batch in torch.randperm(_TRIALS).split(128):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(module(x[batch]), y[batch]).backward()
            optimizer.step()
    linear = [layer for layer in module if isinstance(layer, torch.nn.Linear)]
    weights = [layer.weight.detach().double().numpy() for layer in linear]
    return from_weights(weights, [layer.bias.detach().double().numpy() for layer in linear])


def build(kind: str, network: Network, seed: int) -> tuple[Any, PredictorConstraint]:
    """Return the model in highspy, and the network in it; the response is maximised, a plant's less its costs."""
    generator = np.random.default_rng(1000 + seed)
    model = highspy.Highs()
    model.silent()
    if kind == "plant":
        x, cost = _plant(model, network.input_size, generator)
    else:
        x, cost = _treatments(model, kind, network.input_size, generator), 0.0
    prediction = add_predictor_constr(model, network, x, name="response")
    model.setObjective(prediction.output[0] - cost, highspy.ObjSense.kMaximize)
    return model, prediction


def _treatments(model: Any, kind: str, count: int, generator: np.random.Generator) -> list[Any]:
    """Write the decisions and rows of ``choice`` or ``assortment``."""
    x = [model.addBinary() for _ in range(count)]
    model.addConstr(sum(x) <= count // 5)
    if kind == "assortment":
        cost = generator.uniform(1.0, 10.0, count)
        model.addConstr(_total(cost, x) <= float(cost.mean()) * (count // 10))
        order = generator.permutation(count)
        for first in range(0, count, _GROUP):
            model.addConstr(sum(x[k] for k in order[first : first + _GROUP].tolist()) <= 2)
        for one, other in generator.permutation(count)[: count // 4 // 2 * 2].reshape(-1, 2).tolist():
            model.addConstr(x[one] <= x[other])
    return x


def _plant(model: Any, count: int, generator: np.random.Generator) -> tuple[list[Any], Any]:
    """Write the decisions and rows of ``plant``; return what the network reads, and the costs."""
    points, units = _split(count)
    level = [model.addVariable(lb=0.0, ub=1.0) for _ in range(points)]
    load = [model.addVariable(lb=0.0, ub=1.0) for _ in range(units)]
    on = [model.addBinary() for _ in range(units)]
    for one, other in pairwise(level):
        model.addConstr(one - other <= 0.3)
        model.addConstr(other - one <= 0.3)
    for amount, runs in zip(load, on, strict=True):
        model.addConstr(amount - 1.0 * runs <= 0.0)
        model.addConstr(amount - _LEAST_LOAD * runs >= 0.0)
    for _ in range(2):
        use, idle = generator.uniform(1.0, 5.0, units), generator.uniform(0.2, 1.0, units)
        model.addConstr(_total(use, load) + _total(idle, on) <= 0.3 * float(use.sum() + idle.sum()))
    for one, other in generator.permutation(units)[: units // 2 // 2 * 2].reshape(-1, 2).tolist():
        model.addConstr(on[one] + on[other] <= 1)
    price, fee = generator.uniform(0.0, 0.2, units), generator.uniform(0.0, 0.1, units)
    return [*level, *load, *on], _total(price, load) + _total(fee, on)


def _total(weights: np.ndarray, variables: list[Any]) -> Any:
    return sum(weight * variable for weight, variable in zip(weights.tolist(), variables, strict=True))
