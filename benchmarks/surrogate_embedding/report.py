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
    every["best"] = every.groupby(keys)["value"].transform("max")
    return every.join(reached.rename("reached")).fillna({"reached": np.inf}).reset_index()


def table(times: pd.DataFrame) -> str:
    """Return the Markdown table: what was reached, when, and the ratio to the dense model.

    Where a run did not get there, its limit stands for its time. The ratio is then a bound: ">=" where it is the dense
    model that did not, "<=" where it is the method, none where it is both.
    """
    lines = [
        "| model | network | method | within 1 % of best | median share of best | median s to 1 % | dense / method |",
        "|---|---|---|---|---|---|---|",
    ]
    for (kind, size), group in times.groupby(["kind", "size"], sort=False):
        limit = group["limit"].iloc[0]
        dense = group[group["method"] == "dense model"].set_index("seed")["reached"]
        for method, mine in group.groupby("method", sort=False):
            reached = mine.set_index("seed")["reached"]
            median = f"{reached.median():.2f}" if np.isfinite(reached.median()) else f"> {limit:.0f}"
            share = (mine["value"] / mine["best"]).median()
            lines.append(
                f"| {kind} | {size} | {method} | {int(np.isfinite(reached).sum())} of {reached.size} | {share:.3f} |"
                f" {median} | {_ratio(dense, reached, limit)} |"
            )
    return "\n".join(lines)


def _ratio(dense: pd.Series, mine: pd.Series, limit: float) -> str:
    """Return the geometric mean of the ratios, with the side it bounds."""
    pairs = pd.concat([dense, mine], axis=1, join="inner").to_numpy()
    pairs = pairs[np.isfinite(pairs).any(axis=1)]  # where neither got there, nothing is known
    if not pairs.size:
        return ""
    late = ~np.isfinite(pairs).all(axis=0)
    mark = {(False, False): "", (True, False): ">= ", (False, True): "<= ", (True, True): "about "}
    ratio = np.exp(np.log(pairs[:, 0].clip(max=limit) / pairs[:, 1].clip(max=limit)).mean())
    return f"{mark[bool(late[0]), bool(late[1])]}{ratio:.3g}"


def draw(results: pd.DataFrame, path: Path) -> None:
    """Draw the share of the best known value that each method has at each time: a row a kind, a column a size."""
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "netopt"
    from matplotlib import pyplot as plt

    kinds, sizes = results["kind"].unique(), sorted(results["size"].unique(), key=lambda size: int(size.split("-")[0]))
    figure, axes = plt.subplots(
        len(kinds), len(sizes), figsize=(10, 2.6 * len(kinds)), sharex=True, sharey=True, squeeze=False
    )
    for (kind, size), group in results.groupby(["kind", "size"], sort=False):
        axis = axes[list(kinds).index(kind), sizes.index(size)]
        best = group.groupby("seed")["objective"].max()
        for (method, seed), run in group.groupby(["method", "seed"], sort=False):
            values = np.maximum.accumulate(run["objective"].to_numpy()) / best[seed]
            seconds = np.append(run["seconds"].to_numpy(), run["limit"].iloc[0])
            label = method if seed == group["seed"].min() else None
            axis.step(
                seconds, np.append(values, values[-1]), where="post", color=COLORS[method], label=label, alpha=0.8
            )
        axis.set(title=f"{kind}, {size}", xscale="log", ylim=(-0.5, 1.05))
    for axis in axes[-1]:
        axis.set_xlabel("seconds")
    for axis in axes[:, 0]:
        axis.set_ylabel("share of best known")
    axes[0, 0].legend(fontsize=8)
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
