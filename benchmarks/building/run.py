"""Measure how long a network takes to be written into a model, netopt against its peers.

``python benchmarks/building/run.py --peer-python PATH`` measures everything and puts the tables into README.md. PATH is
the Python of an environment made with ``pip install -r benchmarks/building/requirements.txt``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

from report import GROWTH, HERE, NETWORK, PAIRS, SINGLE_OUTPUT, update_readme

FIELDS = ["part", "tool", "widths", "run", "wall_seconds", "cpu_seconds", "peak_megabytes", "rows", "columns"]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def measure(python: str, tool: str, widths: str, seed: int) -> dict[str, float]:
    """Run one job in a process of its own."""
    command = [python, "-m", "building.job", tool, widths, str(seed)]
    job = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent, env=os.environ | ONE_THREAD)
    if job.returncode != 0:
        raise SystemExit(f"{tool} failed on {widths}:\n{job.stderr}")
    result: dict[str, float] = json.loads(job.stdout.splitlines()[-1])
    return result


def peers_plan() -> list[tuple[str, str]]:
    """Return (tool, widths) in the order of one round: each peer right beside netopt."""
    plan = []
    for ours, peer, widths, _ in PAIRS:
        plan += [(tool, widths) for tool in (ours, peer) if (tool, widths) not in plan]
    return plan


def main() -> None:
    """Measure what was asked for and rewrite the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", help="interpreter of an environment that holds the peers")
    parser.add_argument("--part", choices=["peers", "growth", "all"], default="all")
    parser.add_argument("--runs", type=int, default=5, help="rounds; the tables show medians (default 5)")
    parser.add_argument("--results", type=Path, default=HERE / "results.csv", help="written anew (default results.csv)")
    options = parser.parse_args()
    if options.part != "growth" and options.peer_python is None:
        parser.error("give --peer-python, or --part growth")
    plan = [("peers", tool, widths) for tool, widths in peers_plan()] if options.part != "growth" else []
    if options.part != "peers":
        plan += [("growth", "netopt-highspy", widths) for widths in GROWTH]
    with options.results.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        for run in range(options.runs):
            for part, tool, widths in plan:
                python = sys.executable if tool.startswith("netopt-") else options.peer_python
                result = measure(python, tool, widths, run)
                writer.writerow({"part": part, "tool": tool, "widths": widths, "run": run} | result)
                file.flush()
                print(f"run {run}  {tool:17} {widths:22} {result['wall_seconds']:8.3f} s", flush=True)
    update_readme(options.results)
    print(f"tables of {NETWORK} and {SINGLE_OUTPUT} written to {HERE / 'README.md'}")


if __name__ == "__main__":
    main()
