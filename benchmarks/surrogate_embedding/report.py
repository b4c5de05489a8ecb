"""The table and the figure of `run.py`'s results.

Usage: python benchmarks/surrogate_embedding/report.py [results.csv]
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
COLORS = {"dense model": "#d62728", "swap search": "#7f7f7f", "solve_with_surrogate": "#1f77b4"}
WITHIN = 0.01


def times_to_best(results: pd.DataFrame) -> pd.DataFrame:
    """Return, for each instance and method, the seconds to within 1 % of the best value known (infinite: never)."""
    keys = ["kind", "size", "seed"]
    best = results.groupby(keys)["objective"].transform("max")
    good = results[results["objective"] >= best - WITHIN * best.abs()]
    reached = good.groupby([*keys, "method"])["seconds"].min()
    every = results.groupby([*keys, "method"], sort=False).agg(
        limit=("limit", "first"), value=("objective", "max"), dual_bound=("dual_bound", "first")
    )
    return every.join(reached.rename("reached")).fillna({"reached": np.inf}).reset_index()


def table(times: pd.DataFrame) -> str:
    """Return the Markdown table: reached, median seconds, and the ratio to the dense model."""
    lines = [
        "| model | network | method | within 1 % of best known | median s to it | dense / method |",
        "|---|---|---|---|---|---|",
    ]
    for (kind, size), group in times.groupby(["kind", "size"], sort=False):
        limit = group["limit"].iloc[0]
        dense = group[group["method"] == "dense model"].set_index("seed")["reached"].clip(upper=limit)
        for method in COLORS:
            mine = group[group["method"] == method].set_index("seed")["reached"]
            found = int(np.isfinite(mine).sum())
            median = f"{mine.median():.2f}" if np.isfinite(mine.median()) else f"> {limit:.0f}"
            ratio = np.exp(np.log(dense / mine.clip(upper=limit)).mean())
            bound = ">= " if (dense >= limit).any() and method != "dense model" else ""
            lines.append(f"| {kind} | {size} | {method} | {found} of {mine.size} | {median} | {bound}{ratio:.3g} |")
    return "\n".join(lines)


def draw(results: pd.DataFrame, path: Path) -> None:
    """Draw the share of the best known value that each method has at each time, one panel an instance's size."""
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "netopt"
    from matplotlib import pyplot as plt

    groups = list(results.groupby(["kind", "size"], sort=False))
    figure, axes = plt.subplots(2, (len(groups) + 1) // 2, figsize=(10, 5.5), sharey=True)
    for axis, ((kind, size), group) in zip(np.ravel(axes), sorted(groups, key=lambda item: item[0][0]), strict=True):
        best = group.groupby("seed")["objective"].max()
        for (method, seed), run in group.groupby(["method", "seed"], sort=False):
            values = np.maximum.accumulate(run["objective"].to_numpy()) / best[seed]
            seconds = np.append(run["seconds"].to_numpy(), run["limit"].iloc[0])
            label = method if seed == 0 else None
            axis.step(
                seconds, np.append(values, values[-1]), where="post", color=COLORS[method], label=label, alpha=0.8
            )
        axis.set(title=f"{kind}, {size}", xscale="log", xlabel="seconds", ylim=(-0.1, 1.05))
    np.ravel(axes)[0].set_ylabel("share of best known value")
    np.ravel(axes)[0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Print the table and write the figure beside the results."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "results.csv"
    results = pd.read_csv(path)
    print(table(times_to_best(results)))
    draw(results, path.with_name("figure.svg"))


if __name__ == "__main__":
    main()
