"""Three ways of writing the affine row of big-M, on margin MILPs, with HiGHS.

once   through a column ``a = W x + b``, four rows a neuron
parts  through the positive and the negative part, ``y - s = W x + b``: the row once, and no column for a (`BigM`)
twice  ``y >= W x + b`` and ``y <= W x + b - l (1 - z)``: no extra column, the dense row twice

Usage: python benchmarks/affine_row/run.py [--seeds N] [-o results.csv]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from formulations.big_m import BigM
from formulations.formulation import Formulation, ReluColumns, ReluLayer
from formulations.milp import VANISHED, IntArray, MilpBuilder
from formulations.phase_rows import add_affine, add_output_and_phase, add_phase_rows
from netopt.bounds.compute import compute_bounds
from netopt.engines.milp import build_slack_model
from netopt.engines.objective import SlackObjective
from netopt.network.load import load_network
from netopt.solvers.highs import Highs
from netopt.solvers.parameters import SolverParameters
from netopt.specification.vnnlib import read_vnnlib

HERE = Path(__file__).resolve().parent
INSTANCES = HERE.parents[1] / "instances"
#: Network, property, disjunct.
PROBLEMS = (
    ("digits-2x50", "digits-img1-eps0.1", 0),
    ("digits-2x50", "digits-img3-eps0.1", 0),
    ("digits-3x30", "digits-img1-eps0.1", 0),
    ("digits-3x30", "digits-img1-eps0.1", 8),
    ("mnist-2x50", "mnist-img0-eps0.02", 0),
    ("mnist-2x50", "mnist-img0-eps0.02", 8),
    ("mnist-2x50", "mnist-img0-eps0.03", 0),
    ("mnist-2x50", "mnist-img1-eps0.03", 0),
)


@dataclass(frozen=True, slots=True)
class Once(Formulation):
    """The dense row once, for a column of its own."""

    name: ClassVar[str] = "once"
    exact: ClassVar[bool] = True

    def _encode_unstable(self, builder: MilpBuilder, layer: ReluLayer, inputs: IntArray) -> ReluColumns:
        a = add_affine(builder, layer, inputs)
        y, z = add_output_and_phase(builder, layer)
        add_phase_rows(builder, layer, a, y, z)
        return ReluColumns(y, z, a, np.empty(0, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Twice(Formulation):
    """The dense row in both inequalities."""

    name: ClassVar[str] = "twice"
    exact: ClassVar[bool] = True

    def _encode_unstable(self, builder: MilpBuilder, layer: ReluLayer, inputs: IntArray) -> ReluColumns:
        y, z = add_output_and_phase(builder, layer)
        weight = (inputs, -layer.weight)
        builder.add_rows((y, 1.0), weight, lower=layer.bias)
        builder.add_rows((y, 1.0), weight, (z, -layer.lower), upper=layer.bias - layer.lower)
        builder.add_rows((y, 1.0), (z, -layer.upper), upper=0.0)
        return ReluColumns(y, z, np.full(layer.neurons, VANISHED), np.empty(0, dtype=np.int64))


FORMS: dict[str, Formulation] = {"once": Once(), "parts": BigM(), "twice": Twice()}


def measure(problem: tuple[str, str, int], seeds: int) -> list[dict[str, object]]:
    """Solve one margin MILP in each way with each seed; processor time, since other work may share the machine."""
    network_name, property_name, disjunct = problem
    network = load_network(INSTANCES / "networks" / f"{network_name}.onnx")
    case = read_vnnlib(INSTANCES / "properties" / f"{property_name}.vnnlib.gz").cases[0]
    bounds = compute_bounds(network, case.domain, "crown")
    objective = SlackObjective.normalised(case.disjuncts[disjunct])
    rows: list[dict[str, object]] = []
    for name, form in FORMS.items():
        model = build_slack_model(network, case.domain, objective, bounds, form).model
        for seed in range(seeds):
            begun = time.process_time()
            answer = Highs().solve(model, SolverParameters(seed=seed, time_limit=300.0))
            rows.append(
                {
                    "network": network_name,
                    "property": property_name,
                    "disjunct": disjunct,
                    "form": name,
                    "seed": seed,
                    "unstable": bounds.unstable_count,
                    "rows": model.row_count,
                    "columns": model.column_count,
                    "nonzeros": int(model.matrix.nnz),
                    "termination": answer.termination.value,
                    "primal_bound": answer.primal_bound,
                    "dual_bound": answer.dual_bound,
                    "nodes": answer.nodes,
                    "processor_seconds": round(time.process_time() - begun, 3),
                    "solver": answer.solver,
                }
            )
    return rows


def summary(table: pd.DataFrame) -> str:
    """Return the geometric means relative to "once", as a Markdown table, checking that all agree on the optimum."""
    assert (table["termination"] == "optimal").all(), "a time limit was reached: the means would be meaningless"
    problem = ["network", "property", "disjunct"]
    spread = table.groupby(problem)["dual_bound"].agg(lambda bound: bound.max() - bound.min())
    assert spread.max() < 1e-2, f"the forms disagree by {spread.max()}"
    table = table.assign(nodes=table["nodes"].clip(lower=1))
    lines = ["| form | processor time | nodes | nonzeros | rows | fastest on |", "|---|---|---|---|---|---|"]
    columns = ["processor_seconds", "nodes", "nonzeros", "rows"]
    means = table.groupby([*problem, "form"])[columns].agg(lambda values: np.exp(np.log(values).mean())).unstack()
    fastest = means["processor_seconds"].idxmin(axis=1)
    for name in FORMS:
        ratios = [float(np.exp(np.log(means[c][name] / means[c]["once"]).mean())) for c in columns]
        cells = " | ".join(f"{ratio:.2f}" for ratio in ratios)
        lines.append(f"| {name} | {cells} | {int((fastest == name).sum())} of {len(fastest)} |")
    ratio = means["processor_seconds"]
    span = {name: (ratio[name] / ratio["once"]) for name in FORMS}
    lines.append("")
    lines += [
        f"{name} / once per problem: {r.min():.2f} to {r.max():.2f}" for name, r in span.items() if name != "once"
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, write the CSV, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path, default=HERE / "results.csv")
    arguments = parser.parse_args()
    rows = []
    for problem in PROBLEMS:
        rows += measure(problem, arguments.seeds)
        print(*problem, flush=True)
    table = pd.DataFrame(rows)
    table.to_csv(arguments.output, index=False)
    print(summary(table))


if __name__ == "__main__":
    main()
