"""Tables and figures: ``python -m benchmarks.surrogate_verification.report [results.parquet]``.

With a campaign's table (finished or not), ``results.csv`` is written first; without one, that file is read. The tables
go into README.md, the figures beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.surrogate_common import tables
from benchmarks.surrogate_common.figures import time_profile, time_scatter, value_profile
from benchmarks.surrogate_verification.instances import HERE

LABELS = ("dataset", "side", "architecture", "network_seed", "kind")
PAPER, IMPROVED, RUNG = "sparse:magnitude:0.8", "sparse+:domain-aware:0.8", "rung:domain-aware:0.8"
PROFILE = ("dense", "dense+", "dense++", PAPER, IMPROVED, RUNG, "ladder", "pgd")


def ratio_table(results: pd.DataFrame, *, where_pgd_fails: bool) -> list[str]:
    """Return the table of dense time / method time for every solver and method."""
    lines = list(tables.RATIO_HEAD)
    for solver in sorted(results["solver"].unique()):
        times = tables.found_times(results, solver)
        if where_pgd_fails:
            times = _where_pgd_fails(times)
        methods = [method for method in times.columns if method != "dense"]
        lines += tables.ratio_lines(times, solver, _limit(results), methods)
    return lines


def instance_table(results: pd.DataFrame) -> list[str]:
    """Return one line a kind and method: instances, and how many were found."""
    lines = ["| kind | " + " | ".join(PROFILE) + " |", "|---" * (len(PROFILE) + 1) + "|"]
    times = tables.found_times(results, "highs")
    kinds = times.index.to_series().map(results.groupby("instance")["kind"].first())
    for kind in sorted(kinds.unique()):
        mine = times[kinds == kind]
        cells = [
            f"{int(np.isfinite(mine[method].dropna()).sum())} / {int(mine[method].notna().sum())}"
            if method in mine.columns
            else "-"
            for method in PROFILE
        ]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return lines


def size_table(results: pd.DataFrame) -> list[str]:
    """Return one line a method that solves one MILP: medians of its weights and binaries, how often it was solved."""
    lines = ["| method | runs | weights in the model | binaries | proven optimal |", "|---|---|---|---|---|"]
    for method, mine in results.groupby("method"):
        if str(method).startswith(("dense", "sparse", "rung", "finetuned")):
            lines.append(
                f"| {method} | {len(mine)} | {mine['weights'].median():.0f} | {mine['binaries'].median():.0f} |"
                f" {int(mine['status'].eq('solved').sum())} |"
            )
    return lines


def _where_pgd_fails(times: pd.DataFrame) -> pd.DataFrame:
    if "pgd" not in times.columns:
        return times.iloc[:0]
    return times[np.isinf(times["pgd"])]


def _limit(results: pd.DataFrame) -> float:
    return float(results["seconds"].max())


def main() -> None:
    """Write the tables into README.md and draw the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="?", help="table of a campaign; default: results.csv as it is")
    parser.add_argument("--csv", type=Path, default=HERE / "results.csv")
    parser.add_argument("--readme", type=Path, default=HERE / "README.md")
    options = parser.parse_args()
    results = tables.charged(tables.read_results(options.results, options.csv, LABELS))
    limit, folder = _limit(results), options.readme.parent
    blocks = {
        "ratios": ratio_table(results, where_pgd_fails=False),
        "ratios where PGD fails": ratio_table(results, where_pgd_fails=True),
        "found": instance_table(results),
        "sizes": size_table(results),
    }
    best_values, center = tables.values(results, "highs")
    if not best_values.empty:
        relative = tables.shares(best_values, center)
        blocks["shares"] = [*tables.SHARE_HEAD, *tables.share_lines(relative)]
        if "ladder" in best_values.columns:
            blocks["duels"] = [*tables.DUEL_HEAD, *tables.duel_lines(best_values)]
        value_profile(relative, PROFILE, folder / "values.png", "Best dense margin at the limit")
    for solver in sorted(results["solver"].unique()):
        times = tables.found_times(results, solver)
        if "dense" in times.columns:
            drawn = [method for method in ("dense++", PAPER, IMPROVED, RUNG) if method in times.columns]
            time_scatter(times, drawn, limit, folder / f"times-{solver}.png", f"First adversarial point, {solver}")
            time_profile(times, PROFILE, limit, folder / f"profile-{solver}.png", f"Instances found, {solver}")
    for name, lines in blocks.items():
        print(f"\n{name}\n", *lines, sep="\n")
        tables.replace_block(options.readme, name, lines)


if __name__ == "__main__":
    main()
