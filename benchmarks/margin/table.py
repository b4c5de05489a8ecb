"""Print the table of the README: time to the proven optimum, netopt against each peer.

``table.py margin.parquet`` reads a campaign's table and writes ``results.csv`` first; without it, that file is read.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
PAIRS = (("netopt+highs", "omlt+highs"), ("netopt+scip", "pyscipopt-ml+scip"), ("netopt+gurobi", "gurobi-ml+gurobi"))


COLUMNS = [
    "onnx",
    "vnnlib",
    "objective",
    "setting",
    "time_limit",
    "status",
    "primal_bound",
    "dual_bound",
    "call_seconds",
    "seconds",
]


def main(campaign: str | None = None) -> None:
    """Compare pair by pair; a run without a proof counts as its limit."""
    if campaign is not None:
        table = pd.read_parquet(campaign)[COLUMNS].round({"call_seconds": 3, "seconds": 3})
        table.sort_values(["vnnlib", "onnx", "setting"]).to_csv(HERE / "results.csv", index=False)
    rows = pd.read_csv(HERE / "results.csv")
    rows["counted"] = rows["call_seconds"].where(rows["status"] == "optimal", rows["time_limit"])
    times = rows.pivot_table(index=["onnx", "vnnlib"], columns="setting", values="counted")
    solved = rows[rows["status"] == "optimal"].groupby("setting").size()
    print("| netopt | peer | instances | proven, netopt / peer | geometric means, s | peer / netopt | faster on |")
    print("|---|---|---|---|---|---|---|")
    for ours, peer in PAIRS:
        pair = times[[ours, peer]].dropna()
        mean = np.exp(np.log(pair).mean())
        count = f"{solved.get(ours, 0)} / {solved.get(peer, 0)}"
        faster = int((pair[ours] < pair[peer]).sum())
        print(
            f"| {ours} | {peer} | {len(pair)} | {count} | {mean[ours]:.1f} / {mean[peer]:.1f} |"
            f" {mean[peer] / mean[ours]:.2f} | {faster} |"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
