"""Models with binary decisions around a trained network: which of n treatments to apply, under linear side constraints.

The network predicts the response to a set of treatments from 4000 noisy trials of a synthetic response: main effects,
interactions of pairs and saturation. It is trained with torch, seeded. At most a fifth of the treatments may be chosen;
the model ``assortment`` also has a budget, groups from which at most two may come, and treatments that need another.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import highspy
import numpy as np
import torch

from netopt import Network, add_predictor_constr, from_weights
from netopt.embedding import PredictorConstraint

KINDS = ("choice", "assortment")
SIZES = ("60-40-40-1", "100-100-100-1", "200-200-200-1")
_TRIALS, _EPOCHS, _GROUP = 4000, 60, 5


def train(sizes: list[int], seed: int) -> Network:
    """Return a perceptron trained on a synthetic response."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    generator = np.random.default_rng(seed)
    count = sizes[0]
    chosen = (generator.uniform(size=(_TRIALS, count)) < generator.uniform(0.02, 0.35, size=(_TRIALS, 1))).astype(float)
    pairs = generator.integers(count, size=(4 * count, 2))
    effect = chosen @ generator.normal(size=count)
    effect += (chosen[:, pairs[:, 0]] * chosen[:, pairs[:, 1]]) @ generator.normal(size=4 * count)
    response = np.tanh(effect / effect.std()) * 3.0 + 0.1 * generator.normal(size=_TRIALS)
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
    """Return the model in highspy, and the network in it; the response is maximised."""
    generator = np.random.default_rng(1000 + seed)
    count = network.input_size
    model = highspy.Highs()
    model.silent()
    x = [model.addBinary() for _ in range(count)]
    model.addConstr(sum(x) <= count // 5)
    if kind == "assortment":
        cost = generator.uniform(1.0, 10.0, count)
        model.addConstr(sum(float(c) * v for c, v in zip(cost, x, strict=True)) <= float(cost.mean()) * (count // 10))
        order = generator.permutation(count)
        for first in range(0, count, _GROUP):
            model.addConstr(sum(x[k] for k in order[first : first + _GROUP].tolist()) <= 2)
        for one, other in generator.permutation(count)[: count // 4 // 2 * 2].reshape(-1, 2).tolist():
            model.addConstr(x[one] <= x[other])
    prediction = add_predictor_constr(model, network, x, name="response")
    model.setObjective(1.0 * prediction.output[0], highspy.ObjSense.kMaximize)
    return model, prediction
