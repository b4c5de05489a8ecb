"""One of three catalyst grades for each of four plots that share temperature and feed: by way of sparse networks.

The yield network of `batch_yield.py` predicts a plot from five settings. Grades cost money, there is a budget, and no
grade may serve more than half of the plots: twelve binaries and two continuous decisions around four copies of the
network. `solve_with_surrogate` goes by way of sparse networks; its answer is true on the network itself, and proven.
Run it with ``python examples/plot_grades.py``; it needs netopt alone.
"""

from __future__ import annotations

from pathlib import Path

import highspy
import numpy as np

from netopt.embedding import SurrogateSolution, add_predictor_constr, solve_with_surrogate

MODELS = Path(__file__).resolve().parent / "models"
PLOTS, GRADES, PRICES, BUDGET = 4, (0.1, 0.5, 0.9), (0.2, 1.0, 2.5), 4.0
PRESSURES, STIRRING, FEED_PRICE = np.linspace(0.2, 0.8, PLOTS), 0.5, 5.0


def plan(seconds: float = 60.0) -> tuple[SurrogateSolution, np.ndarray]:
    """Return the solution and the settings of each plot."""
    model = highspy.Highs()
    model.silent()
    temperature, feed = model.addVariable(lb=0.0, ub=1.0), model.addVariable(lb=0.0, ub=1.0)
    grade = [[model.addBinary() for _ in GRADES] for _ in range(PLOTS)]
    for plot in grade:
        model.addConstr(sum(plot) == 1)
    for k in range(len(GRADES)):
        model.addConstr(sum(plot[k] for plot in grade) <= PLOTS // 2)
    cost = sum(price * chosen for plot in grade for price, chosen in zip(PRICES, plot, strict=True))
    model.addConstr(cost <= BUDGET)
    settings = [
        [temperature, float(pressure), sum(g * chosen for g, chosen in zip(GRADES, plot, strict=True)), feed, STIRRING]
        for pressure, plot in zip(PRESSURES, grade, strict=True)
    ]
    prediction = add_predictor_constr(model, MODELS / "yield.onnx", settings, name="yield")
    model.setObjective(sum(prediction.output[:, 0]) - cost - FEED_PRICE * feed, highspy.ObjSense.kMaximize)

    solution = solve_with_surrogate(model, prediction, surrogate="domain-aware:0.7", time_limit=seconds)
    print(f"{solution.status.value}: {solution.objective:.4f}, proven at most {solution.dual_bound}")
    for stage in solution.stages:
        print(f"  {stage['name']:<26}{stage['seconds']:6.2f} s  best {stage['best_objective']:.4f}")
    for incumbent in solution.incumbents:
        print(f"  {incumbent.seconds:6.2f} s  {incumbent.objective:.4f}  {incumbent.origin}")
    print(prediction.input_values.round(3))
    return solution, prediction.input_values


if __name__ == "__main__":
    plan()
