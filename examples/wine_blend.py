"""The cheapest blend that a trained classifier takes for a fine wine: integer barrels around a network, in Pyomo.

Nine stock wines of three cultivars are blended into twelve barrels. The blend's thirteen measurements are the averages
of what goes into it. A network trained on the wine data (`train_models.py`) has to recognise cultivar 0, and clearly.
Run it with ``python examples/wine_blend.py``; it needs netopt and Pyomo.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyomo.environ as pyo

from netopt import DataBox, add_argmax_constr, add_predictor_constr, load_network

MODELS = Path(__file__).resolve().parent / "models"
PRICES = [30.0, 26.0, 28.0, 11.0, 12.0, 10.0, 9.0, 8.0, 7.0]  # of a barrel of each stock wine
BARRELS, MOST_OF_ONE, LEAST_ALCOHOL, MARGIN = 12, 4, 12.9, 2.0


def blend() -> tuple[float, list[int]]:
    """Return the least price and the barrels of each stock wine."""
    stock = np.loadtxt(MODELS / "wine_stock.csv", delimiter=",", skiprows=1)[:, 1:]
    model = pyo.ConcreteModel()
    model.wines = pyo.RangeSet(0, len(stock) - 1)
    model.barrels = pyo.Var(model.wines, domain=pyo.NonNegativeIntegers, bounds=(0, MOST_OF_ONE))
    model.full = pyo.Constraint(expr=pyo.quicksum(model.barrels.values()) == BARRELS)
    model.price = pyo.Objective(expr=sum(PRICES[k] * model.barrels[k] for k in model.wines))

    measured = [sum(stock[k, j] / BARRELS * model.barrels[k] for k in model.wines) for j in range(stock.shape[1])]
    model.alcohol = pyo.Constraint(expr=measured[0] >= LEAST_ALCOHOL)
    among = DataBox(stock)  # an average lies between what it is made of, which the barrels' bounds alone do not tell
    prediction = add_predictor_constr(model, MODELS / "wine.onnx", measured, trust_region=among, name="classifier")
    add_argmax_constr(prediction, 0, margin=MARGIN)
    prediction.print_stats()

    pyo.assert_optimal_termination(pyo.SolverFactory("appsi_highs").solve(model))
    barrels = [round(pyo.value(model.barrels[k])) for k in model.wines]
    logits = load_network(MODELS / "wine.onnx").forward(np.array(barrels) @ stock / BARRELS)
    print(f"\nbarrels of each wine: {barrels}, price {pyo.value(model.price):.0f}")
    print(f"the network's own answer: {logits.round(2)}, largest error in the model {prediction.get_error().max():.1e}")
    return pyo.value(model.price), barrels


if __name__ == "__main__":
    blend()
