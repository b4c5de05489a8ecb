"""Tables and figures: ``python -m benchmarks.surrogate_maximization.report [results.parquet]``.

With a campaign's table (finished or not), ``results.csv`` is written first; without one, that file is read. The tables
go into README.md, the figure beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from benchmarks.surrogate_common import tables
from benchmarks.surrogate_common.figures import value_profile
from benchmarks.surrogate_maximization.run import HERE

LABELS = ("inputs", "depth", "width", "network_seed")


def gap_table(results: pd.DataFrame, solver: str) -> list[str]:
    """Return one line a method that proves bounds: median of (dual bound - best known value) / |best known value|."""
    lines = ["| method | instances | median dual gap | largest | proven optimal |", "|---|---|---|---|---|"]
    mine = results[results["solver"] == solver]
    known = results.groupby("instance")["value"].max()
    for method, rows in mine.groupby("method"):
        bound = rows.set_index("instance")["dual_bound"].dropna()
        if bound.empty:
            continue
        gap = (bound - known.reindex(bound.index)) / known.reindex(bound.index).abs()
        solved = int(((rows["status"] == "solved") & rows["dual_bound"].notna()).sum())
        lines.append(
            f"| {method} | {len(gap)} | {100 * gap.median():.2f} % | {100 * gap.max():.1f} % |"
            f" {solved if method != 'root-lp' else '-'} |"
        )
    return lines


def value_table(best_values: pd.DataFrame) -> list[str]:
    """Return the best values, one line a network."""
    lines = ["| network | " + " | ".join(best_values.columns) + " |", "|---" * (len(best_values.columns) + 1) + "|"]
    for instance, row in best_values.iterrows():
        cells = ["-" if pd.isna(value) else f"{value:.5f}" for value in row]
        lines.append(f"| {instance} | " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    """Write the tables into README.md and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="?", help="table of a campaign; default: results.csv as it is")
    parser.add_argument("--csv", type=Path, default=HERE / "results.csv")
    parser.add_argument("--readme", type=Path, default=HERE / "README.md")
    options = parser.parse_args()
    results = tables.read_results(options.results, options.csv, LABELS)
    blocks = {}
    for solver in sorted(results["solver"].unique()):
        best_values, center = tables.values(results, solver)
        relative = tables.shares(best_values, center)
        blocks[f"shares {solver}"] = [*tables.SHARE_HEAD, *tables.share_lines(relative)]
        blocks[f"gaps {solver}"] = gap_table(results, solver)
        blocks[f"values {solver}"] = value_table(best_values)
        if "ladder" in best_values.columns:
            blocks[f"duels {solver}"] = [*tables.DUEL_HEAD, *tables.duel_lines(best_values)]
        title = f"Best value at equal time, {solver}"
        value_profile(relative, list(relative.columns), options.readme.parent / f"values-{solver}.png", title)
    for name, lines in blocks.items():
        print(f"\n{name}\n", *lines, sep="\n")
        tables.replace_block(options.readme, name, lines)


if __name__ == "__main__":
    main()
