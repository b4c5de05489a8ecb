"""Turn results.csv into the tables of README.md: ``python benchmarks/building/report.py``."""

from __future__ import annotations

import platform
import re
from pathlib import Path

import pandas as pd
from networks import weight_count

HERE = Path(__file__).resolve().parent
NETWORK = "784,512,512,512,10"
SINGLE_OUTPUT = "784,512,512,512,1"  # highs-ml takes networks of one output only
#: (netopt's door, peer, widths, how many times faster netopt is to be)
PAIRS = [
    ("netopt-highspy", "omlt", NETWORK, 30.0),
    ("netopt-highspy", "highs-ml", SINGLE_OUTPUT, 30.0),
    ("netopt-pyomo", "omlt", NETWORK, 5.0),
    ("netopt-pyscipopt", "pyscipopt-ml", NETWORK, 4.0),
    ("netopt-gurobipy", "gurobi-ml", NETWORK, 1.0),
]
GROWTH = ["784,12,12,12,10", "784,100,100,100,10", "784,332,332,332,10", "784,535,535,535,10", "784,2046,2046,2046,10"]


def peers_table(results: pd.DataFrame) -> list[str]:
    """Return one line a pair: medians and ratios."""
    lines = [
        "| netopt inside | s | peer | s | ratio (wall) | ratio (CPU) | target |",
        "|---|---|---|---|---|---|---|",
    ]
    for ours, peer, widths, target in PAIRS:
        wall = {tool: _median(results, tool, widths, "wall_seconds") for tool in (ours, peer)}
        cpu = {tool: _median(results, tool, widths, "cpu_seconds") for tool in (ours, peer)}
        lines.append(
            f"| {ours.removeprefix('netopt-')} ({widths.replace(',', '-')}) | {wall[ours]:.3f} | {peer} |"
            f" {wall[peer]:.3f} | {wall[peer] / wall[ours]:.1f} | {cpu[peer] / cpu[ours]:.1f} | {target:g} |"
        )
    return lines


def growth_table(results: pd.DataFrame) -> list[str]:
    """Return one line a size: seconds, and nanoseconds a weight."""
    lines = ["| weights | s | ns a weight | peak MB |", "|---|---|---|---|"]
    for widths in GROWTH:
        weights = weight_count([int(width) for width in widths.split(",")])
        seconds = _median(results, "netopt-highspy", widths, "wall_seconds")
        peak = _median(results, "netopt-highspy", widths, "peak_megabytes")
        lines.append(f"| {weights:,} | {seconds:.3f} | {1e9 * seconds / weights:.0f} | {peak:.0f} |")
    return lines


def update_readme(path: Path) -> None:
    """Replace the marked tables of README.md by those of the parts that were measured."""
    results = pd.read_csv(path)
    readme = HERE / "README.md"
    text = readme.read_text()
    runs = results["run"].nunique()
    for part, table in (("peers", peers_table), ("growth", growth_table)):
        measured = results[results["part"] == part]
        if not measured.empty:
            note = f"Medians of {runs} runs, {platform.machine()}, Python {platform.python_version()}."
            block = "\n".join([f"<!-- {part} -->", *table(measured), "", note, f"<!-- /{part} -->"])
            text = re.sub(rf"<!-- {part} -->.*<!-- /{part} -->", lambda _, block=block: block, text, flags=re.DOTALL)
    readme.write_text(text)


def _median(results: pd.DataFrame, tool: str, widths: str, column: str) -> float:
    return float(results.loc[(results["tool"] == tool) & (results["widths"] == widths), column].median())


if __name__ == "__main__":
    update_readme(HERE / "results.csv")
