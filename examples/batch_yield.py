"""Settings of three batches that share a catalyst budget, for the largest total yield a network predicts, in highspy.

The network (`train_models.py`) was trained on runs of a process with five settings. It is trusted only where it has
seen data: every batch must lie in the convex hull of past runs. Each batch is a copy of the network, added by one call.
Run it with ``python examples/batch_yield.py``; it needs netopt alone.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import highspy
import numpy as np

from netopt import DataHull, add_predictor_constr

MODELS = Path(__file__).resolve().parent / "models"
BATCHES, CATALYST, CATALYST_BUDGET, HEAT_PRICE = 3, 2, 1.2, 4.0


def plan() -> tuple[float, np.ndarray]:
    """Return the largest profit and the settings of each batch."""
    runs = np.loadtxt(MODELS / "yield_runs.csv", delimiter=",", skiprows=1)
    model = highspy.Highs()
    model.silent()
    settings = [[model.addVariable(lb=0.0, ub=1.0) for _ in range(runs.shape[1])] for _ in range(BATCHES)]
    model.addConstr(sum(batch[CATALYST] for batch in settings) <= CATALYST_BUDGET)
    for first, second in pairwise(settings):
        model.addConstr(first[CATALYST] >= second[CATALYST] + 0.1)  # the batches are different products

    prediction = add_predictor_constr(
        model, MODELS / "yield.onnx", settings, trust_region=DataHull(runs), bounds="lp", name="yield"
    )
    prediction.print_stats()
    heat = HEAT_PRICE * sum(batch[0] for batch in settings)
    model.maximize(sum(prediction.output[:, 0]) - heat)
    profit = float(model.getInfo().objective_function_value)
    print(f"\nprofit {profit:.3f}; settings and predicted yield of each batch:")
    for row, value in zip(prediction.input_values, prediction.output_values[:, 0], strict=True):
        print("  ", row.round(3), round(value, 3))
    print(f"largest error in the model {prediction.get_error().max():.1e}")
    return profit, prediction.input_values


if __name__ == "__main__":
    plan()
