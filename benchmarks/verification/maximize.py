"""Maximise every output over the input box of a property, by the native engine and by MILP solvers, in one run.

``maximize.py BENCHMARKS -o FILE.parquet [--only acasxu,rl] [--networks 6] [--solvers native,highs,scip,gurobi]``. A
MILP solver gets netopt's own formulation, bounds and attacks, as without the native engine. The table is printed at the
end; ``--table`` prints that of a run which is over.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from netopt.campaign.campaign import Limits, plan, run_campaign
from netopt.campaign.journal import read_table
from netopt.campaign.problem import Problem, find, read_problems
from netopt.campaign.report import markdown
from netopt.campaign.setting import parse_setting
from netopt.network.load import load_network

GIGABYTE = 2.0**30
OURS = "native"


def main() -> None:
    """Plan the runs, do them, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benchmarks", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--only", default="acasxu,rl", help="names of benchmarks, or beginnings of them, with commas")
    parser.add_argument("--networks", type=int, default=6, help="networks a benchmark, spread evenly")
    parser.add_argument("--outputs", type=int, default=2, help="outputs of each that are maximised, the first ones")
    parser.add_argument("--solvers", default="native,highs,scip,gurobi")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--time-limit", type=float, default=60.0)
    parser.add_argument("--memory-limit", type=float, default=8.0, help="GB")
    parser.add_argument("--table", action="store_true", help="print the table only")
    asked = parser.parse_args()
    if not asked.table:
        lists = [
            path
            for path in sorted(asked.benchmarks.glob("*/instances.csv"))
            if path.parent.name.startswith(tuple(asked.only.split(",")))
        ]
        problems = [problem for path in lists for problem in maximizations(path, asked.networks, asked.outputs)]
        settings = [
            parse_setting(f"name={name},solver={name},threads={asked.threads}") for name in asked.solvers.split(",")
        ]
        limits = Limits(time=asked.time_limit, memory=asked.memory_limit * GIGABYTE)
        run_campaign(plan(problems, settings, limits), asked.output, workers=1)
    print(markdown(table(read_table(asked.output))))


def maximizations(path: Path, networks: int, outputs: int) -> list[Problem]:
    """Return maximisations of the first outputs of some networks over the inputs of their first property."""
    first: dict[str, Problem] = {}
    for problem in read_problems(path):
        first.setdefault(problem.onnx, problem)
    names = sorted(first)
    chosen = sorted({names[k] for k in np.linspace(0, len(names) - 1, networks).round().astype(int)})
    made = []
    for name in chosen:
        problem = first[name]
        size = load_network(find(problem.folder, name)).output_size
        made += [
            Problem(
                benchmark=problem.benchmark,
                command="maximize",
                onnx=name,
                vnnlib=problem.vnnlib,
                folder=problem.folder,
                objective=(f"--output={k}",),
            )
            for k in range(min(size, outputs))
        ]
    return made


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row a benchmark and solver: proven, geometric mean of the seconds, and how often native takes that."""
    rows["charged"] = rows["seconds"].where(rows["status"] == "optimal", rows["time_limit"])
    rows["problem"] = rows["onnx"] + rows["objective"]
    lines = []
    for benchmark, own in rows.groupby("benchmark"):
        times = own.pivot_table(index="problem", columns="setting", values="charged").dropna()
        mean = np.exp(np.log(times).mean())
        for solver, part in own.groupby("setting"):
            lines.append(
                {
                    "benchmark": benchmark,
                    "solver": solver,
                    "rows": len(part),
                    "proven": int((part["status"] == "optimal").sum()),
                    "geometric mean s": mean[solver],
                    "median s": times[solver].median(),
                    "times native": mean[solver] / mean[OURS] if OURS in mean else float("nan"),
                }
            )
    return pd.DataFrame(lines)


if __name__ == "__main__":
    main()
