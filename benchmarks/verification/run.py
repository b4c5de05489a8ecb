"""Verify public benchmarks with netopt and its peers, in one run: ``run.py BENCHMARKS -o results.parquet ...``.

The folder has one sub-folder a benchmark, each with an ``instances.csv`` (onnx, vnnlib, timeout, truth). Every run is a
process of its own, start-up included. Put ``taskset -c 0`` in front for one core. Stopped, the same call goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from netopt.campaign.campaign import Limits, plan, run_campaign
from netopt.campaign.problem import Problem, read_problems
from netopt.campaign.setting import Setting, parse_setting

HERE = Path(__file__).resolve().parent
GIGABYTE = 2.0**30


def main() -> None:
    """Plan the runs and do them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benchmarks", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--only", default="", help="names of benchmarks, or beginnings of them, with commas")
    parser.add_argument("--rows", type=int, help="rows a benchmark with a known answer, spread evenly; all by default")
    parser.add_argument("--tools", default="netopt", help="netopt, marabou, vibecheck, with commas")
    parser.add_argument("--peers-python", type=Path, help="interpreter of the environment that has the peers")
    parser.add_argument("--setting", action="append", default=[], help="a further setting of netopt, as in a campaign")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--time-limit", type=float, default=60.0)
    parser.add_argument("--memory-limit", type=float, default=8.0, help="GB")
    parser.add_argument(
        "--slow", type=Path, help="only instances that took netopt over --slow-from seconds in this table"
    )
    parser.add_argument("--slow-from", type=float, default=10.0)
    asked = parser.parse_args()
    settings = [_setting(tool, asked) for tool in asked.tools.split(",") if tool]
    settings += [parse_setting(text) for text in asked.setting]
    problems = [
        problem
        for path in sorted(asked.benchmarks.glob("*/instances.csv"))
        if path.parent.name.startswith(tuple(asked.only.split(",")))
        for problem in _some(read_problems(path), asked.rows)
    ]
    if asked.slow is not None:
        problems = _slow(problems, asked.slow, asked.slow_from)
    limits = Limits(time=asked.time_limit, memory=asked.memory_limit * GIGABYTE)
    run_campaign(plan(problems, settings, limits), asked.output, workers=1)


def _setting(tool: str, asked: argparse.Namespace) -> Setting:
    name = tool if asked.threads == 1 else f"{tool}-{asked.threads}"
    if tool == "netopt":
        return parse_setting(f"name={name},threads={asked.threads}")
    if asked.peers_python is None:
        raise SystemExit(f"{tool} needs --peers-python")
    program = f"{asked.peers_python.absolute()} {HERE / 'peer.py'} {tool}"
    return parse_setting(f"name={name},program={program},threads={asked.threads}")


def _some(problems: Sequence[Problem], rows: int | None) -> Sequence[Problem]:
    """Return the given number of problems with a known answer, evenly spread over the list."""
    known = [problem for problem in problems if problem.truth in ("sat", "unsat")]
    if rows is None or len(known) <= rows:
        return problems if rows is None else known
    return [known[k] for k in np.linspace(0, len(known) - 1, rows).round().astype(int)]


def _slow(problems: Sequence[Problem], table: Path, seconds: float) -> list[Problem]:
    import pandas as pd

    rows = pd.read_parquet(table)
    rows = rows[(rows["setting"] == "netopt") & rows["status"].isin(("sat", "unsat")) & (rows["seconds"] > seconds)]
    wanted = set(zip(rows["benchmark"], rows["onnx"], rows["vnnlib"], strict=True))
    return [problem for problem in problems if (problem.benchmark, problem.onnx, problem.vnnlib) in wanted]


if __name__ == "__main__":
    main()
