"""HiGHS on margin MILPs with a good start: what its own heuristics and its presolve cost.

The start is the best point of a short gradient ascent, as in `netopt.maximize`. One thread; CPU seconds are compared,
so that a busy machine does not decide. 60 s of wall time a run.

Usage: python benchmarks/highs_start/run.py [-o results.csv]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from formulations.big_m import BigM
from netopt.attack.gradient_ascent import ascend_linear
from netopt.bounds.compute import compute_bounds
from netopt.engines.milp import build_slack_model
from netopt.engines.objective import SlackObjective
from netopt.network.load import load_network
from netopt.solvers.highs import Highs
from netopt.solvers.parameters import SolverParameters
from netopt.specification.vnnlib import read_vnnlib

HERE = Path(__file__).resolve().parent
LIST = HERE.parent / "margin" / "instances.csv"
SECONDS = 60.0
_SUB_MIPS = ("mip_heuristic_run_rens", "mip_heuristic_run_rins", "mip_heuristic_run_root_reduced_cost")
VARIANTS: dict[str, dict[str, bool | int | float | str]] = {
    "HiGHS's defaults": dict.fromkeys(_SUB_MIPS, True) | {"presolve": "choose"},
    "no sub-MIPs": dict.fromkeys(_SUB_MIPS, False) | {"presolve": "choose"},
    "no sub-MIPs, no presolve": dict.fromkeys(_SUB_MIPS, False) | {"presolve": "off"},
}


def measure(onnx: Path, vnnlib: Path, weights: np.ndarray) -> list[dict[str, object]]:
    """Solve one margin under every variant, from the same start."""
    network = load_network(onnx)
    domain = read_vnnlib(vnnlib).cases[0].domain
    bounds = compute_bounds(network, domain, "crown")
    model = build_slack_model(network, domain, SlackObjective.linear(weights), bounds, BigM())
    generator = np.random.default_rng(0)
    point, _ = ascend_linear(network, domain, weights, generator=generator, deadline=time.monotonic() + 5.0, rounds=1)
    rows: list[dict[str, object]] = []
    for variant, options in VARIANTS.items():
        parameters = SolverParameters(time_limit=SECONDS, options=options)
        begun = time.process_time()
        answer = Highs().solve(model.model, parameters, start=model.start(point))
        rows.append(
            {
                "variant": variant,
                "binaries": int(model.model.integral.sum()),
                "termination": answer.termination.value,
                "cpu_seconds": time.process_time() - begun,
                "nodes": answer.nodes,
                "dual_bound": answer.dual_bound,
            }
        )
    return rows


def main() -> None:
    """Run every instance of the list of margins and print geometric means over those that every variant proves."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-o", "--output", type=Path, default=HERE / "results.csv")
    output = parser.parse_args().output
    results: list[dict[str, object]] = []
    for line in pd.read_csv(LIST).itertuples():
        weights = np.array([float(part) for part in str(line.weights).split(",")])
        for row in measure(LIST.parent / str(line.onnx), LIST.parent / str(line.vnnlib), weights):
            name = f"{Path(str(line.onnx)).stem} {Path(str(line.vnnlib)).name.removesuffix('.vnnlib.gz')}"
            results.append({"instance": name} | row)
            print(results[-1], flush=True)
        pd.DataFrame(results).to_csv(output, index=False)
    table = pd.DataFrame(results)
    proven = table.groupby("instance")["termination"].transform(lambda column: (column == "optimal").all())
    print(np.exp(np.log(table[proven].pivot(index="instance", columns="variant", values="cpu_seconds")).mean()))


if __name__ == "__main__":
    main()
