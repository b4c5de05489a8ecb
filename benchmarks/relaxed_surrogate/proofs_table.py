"""Print the README's tables of `proofs.csv`: proofs, proofs lost, CPU seconds against the dense MILP."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
KEY = ["network", "radius", "image"]


def main() -> None:
    """Print one line a method, then one a network and radius, then the routes."""
    rows = pd.read_csv(HERE / "proofs.csv")
    attained = rows[(rows["ended"] == "optimal") & (rows["bound"] >= 0.0)].set_index(KEY).index
    print(f"{attained.nunique()} left out, where a search found a counterexample that gradients had not\n")
    rows = rows[~rows.set_index(KEY).index.isin(attained)].copy()
    rows["proved"] = rows["ended"] == "bound_limit"
    wide = rows.pivot_table(index=KEY, columns="method", values=["proved", "seconds"], aggfunc="first")
    proved, seconds = wide["proved"].fillna(value=False).astype(bool), wide["seconds"]
    print("| method | instances | proved | lost | won | faster: geometric mean | least | most | CPU seconds of all |")
    print("|---|---|---|---|---|---|---|---|---|")
    for method in seconds.columns:
        known = seconds[method].notna() & seconds["dense"].notna()
        ours, dense = proved[method][known], proved["dense"][known]
        ratio = (seconds["dense"] / seconds[method])[known][ours & dense]
        factors = f"{np.exp(np.log(ratio).mean()):.2f} | {ratio.min():.2f} | {ratio.max():.2f}"
        counts = " | ".join(
            str(int(n)) for n in (known.sum(), ours.sum(), (dense & ~ours).sum(), (ours & ~dense).sum())
        )
        print(f"| {method} | {counts} | {factors} | {seconds[method].sum():.1f} |")
    print("\n| network | radius | instances | proved, dense | proved, relaxed | dense, median s | relaxed, median s |")
    print("|---|---|---|---|---|---|---|")
    for (network, radius), group in wide.groupby(level=["network", "radius"]):
        counts = " | ".join(str(int(group["proved"][method].sum())) for method in ("dense", "relaxed"))
        medians = " | ".join(f"{group['seconds'][method].median():.2f}" for method in ("dense", "relaxed"))
        print(f"| {network} | {radius} | {len(group)} | {counts} | {medians} |")
    print()
    for method, group in rows[rows["proved"]].groupby("method"):
        routes = ", ".join(f"{route}: {count}" for route, count in group["route"].value_counts().items())
        print(f"- {method}: {routes}")
    share = (rows["seconds"] / rows["wall"]).median()
    print(f"\nCPU seconds are {share:.2f} of the wall time; CROWN's bounds {rows['crown'].median():.2f} (medians).")


if __name__ == "__main__":
    main()
